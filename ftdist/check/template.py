"""Whether training writes conversations as the model's own chat template does."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jinja2 import TemplateError

from ftdist.check.findings import Finding
from ftdist.check.reading import ReadRow
from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.data.messages import Chat
from ftdist.data.template_chat import TemplateChat

_COMPARED = 200
"""Conversations of each source that are rendered once more by the tokenizer itself."""

_COMPARED_TOKENS = 5_000_000
"""No more of a source after so many tokens: of conversations, once and for each prompt in them."""

_REPORT = "report this as a bug of ftdist, with the name of the model."

TEMPLATE_ERRORS = (TemplateError, TypeError, ValueError, LookupError, AttributeError)
"""What templates raise that a conversation does not fit."""


class TemplateCheck:
    """Compares conversations with what the tokenizer's own template gives.

    Args:
        tokenizer: of the model.
        encoder: with it.
        skips: whether conversations that are refused are left out, as the config says.
    """

    def __init__(self, tokenizer: Any, encoder: ChatEncoder, *, skips: bool) -> None:
        self._tokenizer, self._encoder, self._skips = tokenizer, encoder, skips
        self._compared: Counter[str] = Counter()
        self._compared_tokens: Counter[str] = Counter()
        self._equal = self._by_prompt = self._starts = 0
        self._differing: list[str] = []
        self._other_prompts: list[str] = []
        self._lost: dict[str, list[str]] = {}
        self._refused: dict[tuple[str, str], list[str]] = {}
        self._conversations = 0

    def add(self, read: ReadRow) -> None:
        """Look at a row."""
        if read.error is not None:
            self._conversations += 1
            reason = (read.error.problem, read.error.remedy)
            self._refused.setdefault(reason, []).append(str(read.row.location))
        conversation = read.conversation
        if conversation is None:
            return
        self._conversations += 1
        source = read.source
        if self._compared[source] >= _COMPARED or self._compared_tokens[source] >= _COMPARED_TOKENS:
            return
        chat = self._encoder.preparation.prepare_unescaped(
            Chat(conversation.messages, conversation.tools)
        )
        if chat is None:
            return  # special tokens in text: apply_chat_template means something else by them
        [tokens] = read.samples
        self._compared[source] += 1
        self._compared_tokens[source] += len(tokens.input_ids) * (len(chat.learned) + 1)
        self._compare(chat, tokens, str(conversation.location))

    def _compare(self, chat: TemplateChat, tokens: Tokens, location: str) -> None:
        last = chat.learned[-1] if chat.learned else len(chat.messages) - 1
        try:
            ids = self._plain(chat, end=last + 1)
            text = "".join(self._plain(chat, tokenize=False).split())
            prompts = [self._plain(chat, end=turn, prompt=True) for turn in chat.learned]
        except TEMPLATE_ERRORS as error:
            self._differing.append(f"{location}: {error}")
            return
        if ids == tokens.input_ids or self._plain(chat) == tokens.input_ids:
            self._equal += 1
        elif prompts and _begins_with(tokens.input_ids, prompts[-1], but_not=ids):
            self._by_prompt += 1
        else:
            self._differing.append(location)
        starts = [first for first, _ in learned_runs(tokens)]
        self._starts += len(starts)
        begun = [len(prompt) for prompt in prompts if tokens.input_ids[: len(prompt)] == prompt]
        if not all(self._begins(tokens, start, sorted(begun)) for start in starts):
            self._other_prompts.append(location)
        for message in chat.messages:
            # The encoder itself refuses to lose answers and results of tools.
            is_checked = message["role"] not in ("assistant", "tool")
            if is_checked and "".join(message["content"].split()) not in text:
                self._lost.setdefault(message["role"], []).append(location)

    def _plain(
        self,
        chat: TemplateChat,
        *,
        end: int | None = None,
        prompt: bool = False,
        tokenize: bool = True,
    ) -> Any:
        """The first `end` messages by transformers alone, as any other program renders them."""
        return self._tokenizer.apply_chat_template(
            list(chat.messages[:end]),
            tools=chat.tools,
            add_generation_prompt=prompt,
            tokenize=tokenize,
            return_dict=False,
        )

    def _begins(self, tokens: Tokens, start: int, prompt_ends: list[int]) -> bool:
        """Whether an answer begins where a prompt ends; blanks between them are nobody's."""
        before = bisect_right(prompt_ends, start)
        if not before:
            return False
        between = tokens.input_ids[prompt_ends[before - 1] : start]
        return not self._tokenizer.decode(between).strip()

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        if not self._conversations:
            return
        yield self._of_refused()
        if self._compared.total():
            yield self._of_parity()
            yield self._of_prompts()
            yield from self._of_lost()

    def _of_parity(self) -> Finding:
        by_prompt = (
            f"; {self._by_prompt:,} more have the ids of the prompt for their last answer and of "
            "that answer, since the template writes the whole in another way"
            if self._by_prompt
            else ""
        )
        return Finding(
            check="template parity",
            status="failed" if self._differing else "ok",
            message=f"{self._equal:,} of {self._compared.total():,} conversations compared have "
            "exactly the ids of tokenizer.apply_chat_template"
            f"{by_prompt}{_first(self._differing)}.",
            remedy=_REPORT if self._differing else "",
        )

    def _of_prompts(self) -> Finding:
        differing = self._other_prompts
        if not differing:
            message = f"Before each of {self._starts:,} learned answers stands exactly the prompt "
            return Finding(check="prompts", status="ok", message=f"{message}for it.")
        return Finding(
            check="prompts",
            status="failed",
            message=f"In {len(differing):,} of {self._compared.total():,} conversations an answer "
            f"does not follow the prompt for it{_first(differing)}.",
            remedy=_REPORT,
        )

    def _of_lost(self) -> Iterator[Finding]:
        if not self._lost:
            yield Finding(
                check="text kept",
                status="ok",
                message="The template writes all that system, developer and user say.",
            )
        for role, locations in self._lost.items():
            yield Finding(
                check="text kept",
                status="failed",
                message=f"The template leaves out or changes text of {role} messages in "
                f"{len(set(locations)):,} of {self._compared.total():,} conversations"
                f"{_first(locations)}.",
                remedy="let chat_template.jinja of the model folder write that role, or give its "
                "text another role.",
            )

    def _of_refused(self) -> Finding:
        refused = sum(map(len, self._refused.values()))
        if not refused:
            return Finding(
                check="conversations",
                status="ok",
                message=f"The template takes all {self._conversations:,} conversations.",
            )
        (problem, remedy), locations = max(self._refused.items(), key=lambda item: len(item[1]))
        others = refused - len(locations)
        return Finding(
            check="conversations",
            status="warning" if self._skips else "failed",
            message=f"{refused:,} of {self._conversations:,} conversations cannot be learned from"
            f"{', and are skipped' if self._skips else ''}{_first(locations)}. {problem}"
            f"{f' Other reasons: {others:,}.' if others else ''}",
            remedy=remedy
            if self._skips
            else f"{remedy.removesuffix('.')}; or set library.on_invalid_row=skip to leave them "
            "out.",
        )


def _begins_with(ids: list[int], prompt: list[int], *, but_not: list[int]) -> bool:
    """Whether ids begin with a prompt that the whole conversation does not begin with."""
    length = len(prompt)
    return ids[:length] == prompt and but_not[:length] != prompt


def learned_runs(tokens: Tokens) -> list[tuple[int, int]]:
    """Where each run of learned tokens begins and, exclusive, ends."""
    borders = np.flatnonzero(np.diff([0, *tokens.loss, 0])).tolist()
    return list(zip(borders[::2], borders[1::2], strict=True))


def _first(locations: Sequence[str]) -> str:
    return f" (the first: {locations[0]})" if locations else ""
