"""Conversations and text as token ids, with the tokens that are learned marked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from transformers import PreTrainedTokenizerBase

from ftdist.data.answer_finder import Rendered
from ftdist.data.chat_template import ChatTemplate
from ftdist.data.default_template import ensure_chat_template
from ftdist.data.messages import Chat
from ftdist.data.special_tokens import Encoded, SpecialTokens
from ftdist.data.template_chat import ChatPreparation, Reasoning
from ftdist.data.template_errors import merged_border
from ftdist.data.template_renderer import TemplateRenderer
from ftdist.errors import DataError
from ftdist.io.hashing import fingerprint
from ftdist.plan.surplus_tokens import beyond_embedding

_COMPARED = 8
"""Conversations whose ids are compared with the tokenizer's own before it is trusted."""

_CACHED_PROMPTS = 1000


@dataclass(frozen=True)
class Tokens:
    """One sample: token ids, and for each whether the model learns to write it.

    The first token is never learned: nothing stands before it that could predict it.
    """

    input_ids: list[int]
    loss: list[bool]
    has_opening: bool = True
    """Whether the last answer begins with the encoder's `opening`."""

    left_out: int = 0
    """Answers that are not learned, since the template leaves out a thought of them or before."""

    teacher_ids: list[int] = field(default_factory=list)
    """What its teacher reads, which ends with the same ids from the first learned one on; []: there
    is no teacher."""

    def __post_init__(self) -> None:
        assert len(self.input_ids) == len(self.loss)
        assert not (self.loss and self.loss[0])

    @property
    def loss_tokens(self) -> int:
        """How many tokens are learned."""
        return sum(self.loss)


class ChatEncoder:
    """Turns conversations and text into tokens, exactly as the model will be prompted.

    For conversations without special-token strings the ids are those of
    `tokenizer.apply_chat_template(messages, tools=tools, tokenize=True)` up to the last answer that
    is learned; such strings in a message or a tool stay text. Learned is what the assistant writes
    (thought, text, calls of tools) with the token that ends each turn, unless the message has
    weight 0. The ids before an answer are those of the prompt for it, or the conversation is
    refused.

    Args:
        tokenizer: fast; given our template where it has none.
        system_prompt: system message for conversations that have none; None: as the template does.
        reasoning: what becomes of thoughts. "auto": the template's rule; an answer without the
            thought that it was written with is context. "keep": a conversation of which the
            template leaves out a thought is refused. "drop": they are taken out of all answers.
        embedding_rows: of the model: its ids are below; None: unknown.

    Raises:
        DataError: the tokenizer is slow, or has neither a template nor a token to end answers with.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        system_prompt: str | None,
        reasoning: Reasoning = "auto",
        embedding_rows: int | None = None,
    ) -> None:
        ensure_chat_template(tokenizer)
        self._tokenizer = tokenizer
        self._settings = [system_prompt, reasoning]
        self._embedding_rows = embedding_rows
        self._special_tokens = SpecialTokens(tokenizer)
        renderer = TemplateRenderer(tokenizer)
        self.template: str = renderer.source
        """The chat template in use."""
        self.preparation = ChatPreparation(
            renderer, self._special_tokens, system_prompt=system_prompt, reasoning=reasoning
        )
        """Brings conversations into the form that the template takes."""
        self._template = ChatTemplate(
            renderer,
            special=self._special_tokens.pattern,
            keeps_thoughts=reasoning == "keep",
        )
        self._compared = 0
        self._prompts: dict[str, list[int]] = {}
        ids = tokenizer("")["input_ids"]
        self.begin_ids: list[int] = ids[:1] if ids and ids[0] == tokenizer.bos_token_id else []
        """What the tokenizer writes before any text: its begin-of-sequence token, or nothing."""
        self.end_ids: list[int] = (
            [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
        )
        """What ends a text: the end-of-sequence token, where there is one."""
        around = self._template.surroundings
        self.opening = self._opening()
        """What the template writes between a prompt and an answer without a thought."""
        special = {
            number for number, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        tail = self._special_tokens.encode_one(around.tail)
        self.end_of_turn = [token for token in tail if token in special][:1]
        """The special token that ends an answer, where the template writes one."""

    def fingerprint(self) -> str:
        """Differs whenever the same conversation could become other tokens."""
        affixes = [self.begin_ids, self.end_ids, dict(self._tokenizer.special_tokens_map)]
        return fingerprint(self._special_tokens.state, self.template, self._settings, affixes)

    def encode(self, chat: Chat) -> Tokens:
        """Encode one conversation.

        Raises:
            DataError: the template refuses it, or does not let its answers be told from the rest.
        """
        [tokens] = self.encode_many([chat])
        if isinstance(tokens, DataError):
            raise tokens
        return tokens

    def encode_many(self, chats: Sequence[Chat]) -> list[Tokens | DataError]:
        """Encode conversations together, which is faster; errors are returned, not raised.

        Raises:
            DataError: a token is beyond the model's embedding, whatever the conversation.
        """
        results: list[Tokens | DataError | None] = [None] * len(chats)
        rows: dict[int, Rendered] = {}
        for row, chat in enumerate(chats):
            try:
                rows[row] = self._template.render(self.preparation.prepare(chat))
            except DataError as error:
                results[row] = error
        encoded = self._special_tokens.encode(
            [rendered.text for rendered in rows.values()],
            cuts=[_cuts(rendered) for rendered in rows.values()],
        )
        for (row, rendered), (tokens, moved) in zip(rows.items(), encoded, strict=True):
            self._compare(rendered.text, tokens.ids)
            self._check_rows(tokens.ids)
            try:
                results[row] = self._tokens(rendered, tokens, moved)
            except DataError as error:
                results[row] = error
        return [result for result in results if result is not None]

    def prompt(self, chat: Chat) -> list[int]:
        """A conversation up to where the next answer begins.

        Raises:
            DataError: the template refuses it, or a token is beyond the model's embedding.
        """
        text = self._template.prompt(self.preparation.prepare(chat))
        return self._check_rows(self._special_tokens.encode_one(text))

    def answer(self, text: str) -> list[int]:
        """What a conversation has after a prompt: an answer, without the end of its turn."""
        text = self._special_tokens.escape(text)
        written = self._template.answer(text)
        ids = (
            []
            if written is None
            else self._tokens_after(self._template.surroundings.prompt, written)
        )
        return self._check_rows(ids or self._special_tokens.encode_one(text))

    def encode_text(self, text: str) -> Tokens:
        """Encode a whole text, all of it to be learned, up to its end-of-sequence token."""
        return self.wrap_text(self.text_tokens(text).ids, is_end=True)

    def text_tokens(self, text: str) -> Encoded:
        """The ids of plain text alone, and the characters that each stands for."""
        return self._special_tokens.encode_text(text)

    def wrap_text(self, ids: list[int], *, is_end: bool) -> Tokens:
        """A sample of consecutive ids of a text; `is_end`: they are its last."""
        whole = self._check_rows([*self.begin_ids, *ids, *(self.end_ids if is_end else [])])
        return Tokens(whole, [index > 0 for index in range(len(whole))])

    def _tokens(self, rendered: Rendered, encoded: Encoded, moved: list[int]) -> Tokens:
        """A conversation whose ids before each answer are those of the prompt for it.

        Args:
            rendered: the conversation.
            encoded: its tokens.
            moved: where `_cuts` of it are in the text that was encoded.
        """
        place = dict(zip(_cuts(rendered), moved, strict=True))
        ids, after_prompt = encoded.ids, 0
        for number, end in enumerate(rendered.prompt_ends):
            after_prompt = int(np.searchsorted(encoded.starts, place[end]))
            if not self._is_prompt(rendered.text[:end], encoded, after_prompt):
                raise merged_border(
                    rendered.text[:end],
                    self._special_tokens.unescape(rendered.text[end:]),
                    number=number + 1,
                )
        learned = encoded.within([(place[first], place[end]) for first, end in rendered.spans])
        learned[:1] = False
        begin = ids[after_prompt : after_prompt + len(self.opening)]
        return Tokens(
            ids,
            learned.tolist(),
            has_opening=begin == self.opening or not rendered.spans,
            left_out=rendered.left_out,
        )

    def _is_prompt(self, prompt: str, encoded: Encoded, count: int) -> bool:
        """Whether the first `count` ids are those of a prompt.

        Special tokens part a text: what stands before the last one need not be encoded again.
        """
        specials = np.flatnonzero(encoded.special[:count])
        first = int(specials[-1]) if len(specials) else 0
        last = self._special_tokens.name_of[encoded.ids[first]] if len(specials) else ""
        # A message has none: there, such strings are escaped.
        rest = prompt[max(prompt.rfind(last), 0) :] if last else prompt
        if rest not in self._prompts:
            if len(self._prompts) >= _CACHED_PROMPTS:
                self._prompts.clear()
            self._prompts[rest] = self._special_tokens.encode_one(rest)
        if self._prompts[rest] == encoded.ids[first:count]:
            return True
        return self._special_tokens.encode_one(prompt) == encoded.ids[:count]

    def _opening(self) -> list[int]:
        """The tokens between prompt and answer; [] if one belongs to both opening and answer."""
        around = self._template.surroundings
        prompt = self._special_tokens.encode_one(around.prompt)
        border = len(around.prompt) + len(around.opening)
        # With an answer: blanks before a word may be other tokens than blanks at the end.
        [(encoded, _)] = self._special_tokens.encode([around.text], cuts=[[]])
        end = int(np.searchsorted(encoded.starts, border))
        is_parted = end == 0 or int(encoded.ends[end - 1]) <= border
        is_parted = is_parted and encoded.ids[: len(prompt)] == prompt
        return encoded.ids[len(prompt) : end] if is_parted else []

    def _tokens_after(self, before: str, text: str) -> list[int]:
        """The tokens of `text` after `before`; [] if a token spans both."""
        known = self._special_tokens.encode_one(before)
        ids = self._special_tokens.encode_one(before + text)
        return ids[len(known) :] if ids[: len(known)] == known else []

    def _check_rows(self, ids: list[int]) -> list[int]:
        """The ids, all of which must have a row in the model's embedding."""
        rows, largest = self._embedding_rows, max(ids, default=0)
        if rows is None or largest < rows:
            return ids
        token = self._tokenizer.convert_ids_to_tokens(largest)
        needed = max(self._tokenizer.get_vocab().values()) + 1
        raise beyond_embedding(token, largest, rows=rows, needed=needed)

    def _compare(self, text: str, ids: list[int]) -> None:
        """Make sure of the first conversations that the tokenizer itself gives the same ids."""
        if self._compared >= _COMPARED or self._special_tokens.has_escapes(text):
            return
        self._compared += 1
        if self._tokenizer(text, add_special_tokens=False)["input_ids"] != ids:
            raise DataError(
                f"The tokenizer ({type(self._tokenizer).__name__}) does not give the ids of "
                "its own tokenizer.json.",
                remedy="save the tokenizer again with the installed version of transformers.",
            )


def _cuts(rendered: Rendered) -> list[int]:
    """Where prompts and learned spans begin and end, in order."""
    borders = {border for span in rendered.spans for border in span}
    return sorted(borders | set(rendered.prompt_ends))
