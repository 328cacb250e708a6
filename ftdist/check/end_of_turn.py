"""Where a conversation begins and ends: BOS once, and an end of turn at which generation stops."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftdist.check.findings import Finding
from ftdist.check.reading import ReadRow
from ftdist.check.template import TEMPLATE_ERRORS, learned_runs
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.template_renderer import QUESTION


class EndsCheck:
    """Looks at the first tokens of conversations and at the last of each answer.

    Args:
        tokenizer: of the model.
        encoder: with it.
        model: its folder.
    """

    def __init__(self, tokenizer: Any, encoder: ChatEncoder, *, model: Path) -> None:
        self._tokenizer, self._encoder = tokenizer, encoder
        self._named = named_ends(model)
        self._begins: dict[int, str] = {}
        """How many BOS tokens a conversation has, and the first that has so many."""
        self._special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._ends: Counter[int] = Counter()
        """Special tokens that end answers, and how many."""
        self._other_ends = self._of_a_question().difference(encoder.end_of_turn)
        self._earlier_ends: Counter[int] = Counter()
        """The same of answers in earlier turns, where they are not learned: by design."""
        self._endless: list[str] = []

    def add(self, read: ReadRow) -> None:
        """Look at a row."""
        conversation = read.conversation
        if conversation is None:
            return
        [tokens] = read.samples
        location = str(conversation.location)
        bos = self._tokenizer.bos_token_id
        if bos is not None:
            ends = {*self._encoder.end_of_turn, self._tokenizer.eos_token_id}
            count = 0 if bos in ends else tokens.input_ids.count(bos)
            count = count or int(tokens.input_ids[0] == bos)
            self._begins.setdefault(count, location)
        for first, after in learned_runs(tokens):
            closing = self._closing(tokens.input_ids[first:after])
            following = tokens.input_ids[after : after + 1]
            if closing:
                self._ends[closing[0]] += 1
            elif self._other_ends.intersection(following):
                self._earlier_ends[following[0]] += 1
            else:
                self._endless.append(location)

    def _closing(self, ids: list[int]) -> list[int]:
        """Special tokens at the end, the last one first; there may be blanks around them."""
        closing = []
        for token in reversed(ids):
            if token in self._special:
                closing.append(token)
            elif self._tokenizer.decode([token]).strip():
                break
        return closing

    def _of_a_question(self) -> set[int]:
        """Special tokens with which the template ends what the user says."""
        try:
            ids = self._tokenizer.apply_chat_template([QUESTION], return_dict=False)
        except TEMPLATE_ERRORS:
            return set()
        return set(self._closing(ids))

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        yield self._of_begin()
        if self._ends or self._endless:
            yield self._of_learned_end()
        if self._ends:
            yield self._of_generation()

    def _of_begin(self) -> Finding:
        tokenizer, adds = self._tokenizer, bool(self._encoder.begin_ids)
        bos = tokenizer.bos_token
        check = "begin of sequence"
        if bos is None:
            return Finding(
                check=check, status="ok", message="The tokenizer has no begin-of-sequence token."
            )
        several = max(self._begins, default=0)
        if several > 1:
            return Finding(
                check=check,
                status="failed",
                message=f"The chat template writes {bos} {several} times in a conversation (the "
                f"first: {self._begins[several]}).",
                remedy="in chat_template.jinja of the model folder, write it once, at the "
                "beginning.",
            )
        if 0 not in self._begins:
            return Finding(
                check=check,
                status="ok",
                message=f"Each conversation begins with {bos}, once.",
                other_trainers=f"Tokenising the rendered text with add_special_tokens=True writes "
                f"a second {bos}."
                if adds
                else "",
            )
        if not adds:
            return Finding(
                check=check,
                status="ok",
                message=f"Neither the template nor the tokenizer writes {bos}.",
            )
        return Finding(
            check=check,
            status="warning",
            message=f"The tokenizer begins plain text with {bos}, but the chat template does not "
            f"write it (the first conversation: {self._begins[0]}).",
            remedy="if the model was trained with it, write {{ bos_token }} at the beginning of "
            "chat_template.jinja in the model folder.",
            other_trainers=f"Those that tokenise the rendered text add {bos}, so prompts differ.",
        )

    def _of_learned_end(self) -> Finding:
        check, endless = "end of turn", len(self._endless)
        learned = self._ends.total()
        answers = learned + self._earlier_ends.total() + endless
        if not endless:
            number = f"{learned:,} of" if self._earlier_ends else "All"
            message = f"{number} {answers:,} answers end with {self._names(list(self._ends))}, and "
            message += "it is learned."
            if self._earlier_ends:
                message += " The template ends the others, which are of earlier turns, with "
                message += f"{self._names(list(self._earlier_ends))}, which is not."
            return Finding(check=check, status="ok", message=message)
        file = "in chat_template.jinja of the model folder"
        if not self._encoder.end_of_turn:
            return Finding(
                check=check,
                status="failed",
                message="The chat template ends an answer with no special token, so generation "
                "does not stop where an answer ends.",
                remedy=f"{file}, write {{{{ eos_token }}}} at the end of each answer.",
            )
        return Finding(
            check=check,
            status="failed" if endless > answers / 2 else "warning",
            message=f"{endless:,} of {answers:,} answers do not end with a learned "
            f"{self._names(self._encoder.end_of_turn)} (the first: {self._endless[0]}).",
            remedy=f"{file}, write it after each answer, inside {{% generation %}} if the template "
            "has such marks.",
        )

    def _of_generation(self) -> Finding:
        check, known = "end of generation", self._names(self._named) or "no token"
        missing = [token for token in self._ends if token not in self._named]
        if not missing:
            return Finding(
                check=check,
                status="ok",
                message=f"Generation stops at {known}, which the model learns to write.",
            )
        own = self._tokenizer.eos_token
        also = f"; the tokenizer's eos_token is {own}" if own else ""
        numbers = ", ".join(map(str, missing))
        return Finding(
            check=check,
            status="warning",
            message=f"The model learns to end answers with {self._names(missing)}, but its config "
            f"files stop generation at {known}{also}.",
            remedy=f"leave it to `ftdist export`, which adds it; elsewhere, add {numbers} to "
            '"eos_token_id" in generation_config.json.'
            if set(missing) <= {*self._encoder.end_of_turn, self._tokenizer.eos_token_id}
            else f'add {numbers} to "eos_token_id" in generation_config.json.',
            other_trainers="The trained model goes on after its answer, wherever generation takes "
            "its end tokens from these files.",
        )

    def _names(self, ids: list[int]) -> str:
        return ", ".join(map(str, self._tokenizer.convert_ids_to_tokens(ids)))


def named_ends(model: Path) -> list[int]:
    """`eos_token_id` of generation_config.json or else of config.json, as a list."""
    for name in ("generation_config.json", "config.json"):
        try:
            fields = json.loads((model / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        ids = fields.get("eos_token_id") if isinstance(fields, dict) else None
        if isinstance(ids, int):
            return [ids]
        if isinstance(ids, list):
            return [index for index in ids if isinstance(index, int)]
        if name == "generation_config.json":
            return []
    return []
