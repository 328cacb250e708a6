"""Find answers with thoughts, calls of tools or weights in the text of a chat template.

An answer is learned where the text has the prompt for it, and behind it exactly what the template
writes when this answer is the last message. Two differences are known and allowed:

- Templates of models that think leave thoughts out of earlier turns. Such an answer, and one whose
  prompt would have held such a thought, is context: the model is never prompted to write it so. If
  the last prompt itself holds more than the whole text (in harmony's form thoughts of calls before
  a final answer), the text is that prompt with the answer behind it.
- What the template writes before or after an answer may be for the last message alone: an empty
  thought, or another token at the end. The rest of the answer is learned.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ftdist.data.left_out_parts import CALL, TEXT, THOUGHT, PartProbe
from ftdist.data.messages import INSTRUCTIONS
from ftdist.data.special_tokens import Span
from ftdist.data.template_chat import TemplateChat, thought_of
from ftdist.data.template_errors import (
    SPLIT,
    PromptMismatchError,
    ignored_call,
    ignored_result,
    ignored_tools,
    leaves_out,
    no_end_of_turn,
    underivable,
    unmarked_opening,
)
from ftdist.data.template_renderer import TemplateRenderer, adds_names, tool_names
from ftdist.data.thoughts import begin_thought
from ftdist.errors import DataError


class Rendered(NamedTuple):
    """A conversation as text.

    Attributes:
        text: as the template writes it.
        spans: what is learned: per learned answer its text with the end of its turn.
        prompt_ends: per learned answer, where the prompt for it ends.
        left_out: answers that are not learned, since the template leaves a thought out of them or
            out of what stands before them.
    """

    text: str
    spans: list[Span]
    prompt_ends: list[int]
    left_out: int = 0


class AnswerFinder:
    """Finds what is learned of a conversation.

    Args:
        renderer: the template.
        special: matches any special token's string.
        opening: what the template writes between a prompt and an answer without a thought.
        tail: what it writes after an answer; None: unknown.
        keeps_thoughts: refuse a conversation if the template leaves out a thought.
    """

    def __init__(
        self,
        renderer: TemplateRenderer,
        *,
        special: re.Pattern[str],
        opening: str,
        tail: str | None,
        keeps_thoughts: bool,
    ) -> None:
        self._renderer, self._special, self._opening = renderer, special, opening
        self._keeps_thoughts = keeps_thoughts
        self._probe = PartProbe(renderer)
        self._tail = (tail or "").strip()
        self._has_end = tail is None or bool(self._tail)
        self._tail_tokens = len(special.findall(self._tail))
        self._end = re.compile(rf"(?:(?:{special.pattern})\s*)+\Z")

    def find(self, chat: TemplateChat) -> Rendered:
        """Render a conversation up to its last learned answer, and find the learned ones.

        Raises:
            DataError: the template rejects the conversation, changes an answer, or leaves
                something out of it.
            PromptMismatchError: the prompt for a learned answer is not how the text begins.
        """
        if not chat.learned:
            return Rendered(self._text(chat), [], [])
        last = chat.learned[-1]
        chat = chat.until(last + 1)
        text, marks = self._whole(chat, last)
        self._check_results(chat, text)
        spans: list[Span] = []
        prompt_ends: list[int] = []
        for turn in chat.learned:
            span = self._span(chat, turn, text)
            if span is None and self._keeps_thoughts:
                raise underivable(
                    f"leaves out a thought in or before message {turn + 1}", remedy=SPLIT
                )
            if span is None:
                continue
            if spans and spans[-1][1] > span[0]:
                raise underivable(f"lets the answers before message {turn + 1} run into each other")
            if not spans and chat.tools:
                self._check_tools(chat, turn, text[: span[0]])
            prompt_ends.append(span[0])
            spans.append(span)
            if marks is not None:
                check_marks(text, span, marks, special=self._special, message=turn + 1)
        return Rendered(text, spans, prompt_ends, left_out=len(chat.learned) - len(spans))

    def _whole(self, chat: TemplateChat, last: int) -> tuple[str, list[Span] | None]:
        """A text that begins with the prompt for its last answer, and what the template marks."""
        has_marks = self._renderer.has_generation_marks
        text, marks = self._renderer.render(chat.messages, chat.tools, marks=has_marks)
        prompt = self._prompt(chat, last)
        if text.startswith(prompt):
            return text, marks if has_marks else None
        own = self._own_alone(chat, last)
        if own is None:
            raise self._mismatch(prompt, text, last)
        return prompt + own, None

    def _span(self, chat: TemplateChat, turn: int, text: str) -> Span | None:
        """Where an answer is learned; None: the template leaves out a thought of it or before."""
        is_last = turn == len(chat.messages) - 1
        thought = thought_of(chat.messages[turn]) if turn in chat.thoughts else ""
        if not is_last and without_blanks(thought) not in without_blanks(text):
            self._check_contents(chat, self._text(chat.until(turn + 1)), turn)
            return None
        prompt = self._prompt(chat, turn)
        if not text.startswith(prompt):
            if text.startswith(self._prompt(chat.without_thoughts(range(turn)), turn)):
                return None
            raise self._mismatch(prompt, text, turn)
        own = text[len(prompt) :] if is_last else self._own(chat, turn, prompt)
        self._check_contents(chat, own, turn)
        end = self._match(text, len(prompt), own)
        if end is not None:
            return len(prompt), end
        if thought:
            own = self._own(chat.without_thoughts([turn]), turn, prompt)
            if self._match(text, len(prompt), own) is not None:
                return None
        raise underivable(
            f"changes or leaves out a part of the assistant's text in message {turn + 1} "
            "(usually the reasoning of earlier turns)",
            remedy=SPLIT,
        )

    def _match(self, text: str, first: int, own: str) -> int | None:
        """Where an answer ends that stands at `first` as the template writes it by itself."""
        found = self._end.search(own)
        tokens = list(self._special.finditer(own, found.start())) if found else []
        # Before those of the tail stand the template's own, if an answer is empty.
        closing = tokens[-self._tail_tokens :][:1]
        body, end = (own[: closing[0].start()], closing[0][0]) if closing else (own, "")
        forms = [body]
        if self._opening and body.startswith(self._opening):
            forms.append(body.removeprefix(self._opening))
        for form in forms:
            if text.startswith(form + end, first):
                return first + len(form) + len(end)
            after = first + len(form)
            if end and text.startswith(form, first) and self._special.match(text, after):
                return after
        return None

    def _check_contents(self, chat: TemplateChat, own: str, turn: int) -> None:
        """Refuse an answer of which the template leaves something out even as the last message."""
        message = chat.messages[turn]
        written = without_blanks(own)
        begun = begin_thought(message["content"])
        for part in (thought_of(message), begun.rest if begun else message["content"]):
            if without_blanks(part) not in written:
                raise leaves_out(turn + 1)
        left_out = self._probe.of_answer(chat.messages[: turn + 1], chat.tools)
        if {THOUGHT, TEXT} & {*left_out}:
            raise leaves_out(turn + 1)
        calls = [call["function"]["name"] for call in message.get("tool_calls", [])]
        for number, name in enumerate(calls):
            if CALL.format(number) in left_out or own.count(name) < calls.count(name):
                raise ignored_call(name, message=turn + 1)
        if not self._is_ended(own):
            raise no_end_of_turn(self._renderer.special_tokens.get("eos_token"))

    def _is_ended(self, own: str) -> bool:
        """Whether a token or text ends this turn, and others too: a token may only end a call."""
        by_text = self._tail and own.rstrip().endswith(self._tail)
        return self._has_end and bool(by_text or self._end.search(own))

    def _check_tools(self, chat: TemplateChat, turn: int, prompt: str) -> None:
        """Refuse a prompt without its tools; a message may name them, too."""
        try:
            without = self._prompt(replace(chat, tools=None), turn)
        except DataError:
            without = ""
        names = tool_names(chat.tools or [])
        if not adds_names(names, prompt, without):
            raise ignored_tools(names)

    def _check_results(self, chat: TemplateChat, text: str) -> None:
        """Refuse a conversation, which ends in an answer, without a result of a tool."""
        for number, message in enumerate(chat.messages):
            if message["role"] != "tool":
                continue
            content = message["content"].strip()
            forms = (content, json.dumps(content, ensure_ascii=False)[1:-1])
            is_last = chat.messages[number + 1]["role"] != "tool"
            if not any(form in text for form in forms) or (
                is_last and self._probe.of_results(chat.messages[: number + 1], chat.tools)
            ):
                raise ignored_result(message=number + 1)

    def _own(self, chat: TemplateChat, turn: int, prompt: str) -> str:
        """What the template writes behind the prompt for an answer that is the last message."""
        text = self._text(chat.until(turn + 1))
        if not text.startswith(prompt):
            raise self._mismatch(prompt, text, turn)
        return text[len(prompt) :]

    def _own_alone(self, chat: TemplateChat, turn: int) -> str | None:
        """The same behind the last question alone; None: not behind the prompt for it."""
        messages = chat.messages
        users = [at for at in range(turn) if messages[at]["role"] == "user"]
        begin = 1 if messages[0]["role"] in INSTRUCTIONS else 0
        alone = (*messages[:begin], *(messages[at] for at in users[-1:]), messages[turn])
        if len(alone) > turn:
            return None  # it is all there is
        try:
            chat, turn = replace(chat, messages=alone), len(alone) - 1
            return self._own(chat, turn, self._prompt(chat, turn))
        except DataError:
            return None

    def _text(self, chat: TemplateChat) -> str:
        return self._renderer.render(chat.messages, chat.tools)[0]

    def _prompt(self, chat: TemplateChat, turn: int) -> str:
        return self._renderer.render(chat.messages[:turn], chat.tools, prompt=True)[0]

    def _mismatch(self, prompt: str, text: str, turn: int) -> PromptMismatchError:
        return PromptMismatchError(prompt, text, message=turn + 1, special=self._special)


def check_marks(
    text: str, span: Span, marks: Sequence[Span], *, special: re.Pattern[str], message: int
) -> None:
    """Refuse marks of generated text that leave out more of an answer than its turn's end.

    Raises:
        DataError: they do.
    """
    at, end = span
    gaps = []
    for first, after in sorted(marks):
        if first < end and after > at:
            gaps.append(text[at : max(at, first)])
            at = after
    if gaps and gaps[0].strip():
        raise unmarked_opening(gaps[0], message=message)
    gaps.append(special.sub("", text[min(at, end) : end]))
    if "".join(gaps).strip():
        raise underivable(f"leaves a part of message {message} out of what it marks as generated")


def without_blanks(text: str) -> str:
    """A text without spaces and line breaks, which templates change."""
    return "".join(text.split())
