"""Chat templates: rendered, and asked where in the text each answer of the assistant stands.

An answer is what follows the prompt that the same template writes when it asks for that answer, up
to and including the token that ends the turn. A template that writes the conversation in another
way than it would have prompted for it (messages moved, a thought begun in the prompt alone) is
refused by name. Few templates mark what the assistant writes (`{% generation %}`); in those that
do, the marks must agree.

Here are conversations of plain messages, in which an answer ends as the template ends others with
these roles. The rest, and what is refused here, is for `AnswerFinder`.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ftdist.data.answer_finder import AnswerFinder, Rendered, check_marks, without_blanks
from ftdist.data.special_tokens import Span
from ftdist.data.template_chat import TemplateChat
from ftdist.data.template_errors import (
    SPLIT,
    UNTHINK,
    PromptMismatchError,
    no_end_of_turn,
    underivable,
)
from ftdist.data.template_renderer import ANSWER, QUESTION, THOUGHT, TemplateRenderer
from ftdist.data.thoughts import BEGIN, END
from ftdist.errors import DataError

Messages = Sequence[dict[str, Any]]

_PROBE = "sentence{}probe"


class Surroundings(NamedTuple):
    """What a template writes around an answer without a thought to a question.

    Attributes:
        prompt: with the question, up to where it asks for the answer.
        opening: from there to the answer.
        tail: after the answer.
        text: all of it, with an answer.
    """

    prompt: str = ""
    opening: str = ""
    tail: str = ""
    text: str = ""


class ChatTemplate:
    """Renders conversations and finds the assistant's turns in the text.

    Args:
        renderer: the template.
        special: matches any special token's string.
        keeps_thoughts: refuse a conversation if the template leaves out a thought; else such
            answers are not learned.
    """

    def __init__(
        self,
        renderer: TemplateRenderer,
        *,
        special: re.Pattern[str],
        keeps_thoughts: bool = False,
    ) -> None:
        self._renderer = renderer
        self._special = special
        self._tails: dict[tuple[str, ...], str] = {}
        self._finder = AnswerFinder(
            renderer,
            special=special,
            opening=self.surroundings.opening,
            tail=self.surroundings.tail if self.surroundings.prompt else None,
            keeps_thoughts=keeps_thoughts,
        )

    def render(self, chat: TemplateChat) -> Rendered:
        """Render a conversation and find what the model learns of it.

        Raises:
            DataError: the template rejects the conversation, its answers cannot be located, or a
                prompt for one of them is not how the conversation begins.
        """
        before = chat.messages[: chat.learned[0]] if chat.learned else ()
        if chat.learned and not any(message["role"] in ("user", "tool") for message in before):
            raise DataError(
                "The conversation begins with the assistant, so there is nothing to answer.",
                remedy="put a user message first.",
            )
        try:
            if not chat.is_simple:
                return self._finder.find(chat)
            return self._render_simple(chat)
        except PromptMismatchError as mismatch:
            raise self._explain(mismatch, chat) from mismatch

    def prompt(self, chat: TemplateChat) -> str:
        """A conversation up to where the next answer begins.

        Raises:
            DataError: the template rejects the conversation.
        """
        return self._render(chat.messages, chat.tools, prompt=True)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What the template writes around an answer; empty if it refuses a question alone."""
        try:
            prompt = self._render([QUESTION], prompt=True)
            text = self._render([QUESTION, _assistant(ANSWER)])
        except DataError:
            return Surroundings()  # rendering a real conversation reports the error
        before, separator, tail = text.rpartition(ANSWER)
        if not separator or not before.startswith(prompt):
            return Surroundings(prompt=prompt, tail=tail if separator else "")
        return Surroundings(prompt=prompt, opening=before[len(prompt) :], tail=tail, text=text)

    def answer(self, text: str) -> str | None:
        """What the template writes from the prompt's end to the end of an answer; None: unknown."""
        around = self.surroundings
        try:
            whole = self._render([QUESTION, _assistant(text)])
        except DataError:
            return None
        end = len(whole) - len(around.tail)
        if not (whole.startswith(around.prompt) and whole.endswith(around.tail)):
            return None
        return whole[len(around.prompt) : end]

    def _render_simple(self, chat: TemplateChat) -> Rendered:
        """Messages without anything but contents: the tail of an answer follows from the roles."""
        try:
            return self._locate(chat)
        except DataError as refusal:
            try:
                return self._finder.find(chat)
            except DataError:
                raise refusal from refusal.__cause__

    def _locate(self, chat: TemplateChat) -> Rendered:
        """Locate each answer behind the prompt that the template writes for it."""
        has_marks = self._renderer.has_generation_marks
        text, marks = self._renderer.render(chat.messages, marks=has_marks)
        spans: list[Span] = []
        for turn in chat.learned:
            first = self._prompt_end(text, chat.messages, turn)
            end = self._answer_end(text, chat.messages, turn, first=first)
            if spans and spans[-1][1] > first:
                raise underivable(
                    f"lets the answers of messages {list(chat.learned)} run into each other"
                )
            spans.append((first, end))
            if has_marks:
                check_marks(text, spans[-1], marks, special=self._special, message=turn + 1)
        return Rendered(text, spans, [first for first, _ in spans])

    def _render(
        self, messages: Messages, tools: list[Any] | None = None, *, prompt: bool = False
    ) -> str:
        return self._renderer.render(messages, tools, prompt=prompt)[0]

    def _prompt_end(self, text: str, messages: Messages, turn: int) -> int:
        """Where the prompt for this answer ends, which is where the model would begin to write."""
        prompt = self._render(messages[:turn], prompt=True)
        if not text.startswith(prompt):
            raise PromptMismatchError(prompt, text, message=turn + 1, special=self._special)
        return len(prompt)

    def _explain(self, mismatch: PromptMismatchError, chat: TemplateChat) -> DataError:
        """A mismatch with the remedy that helps: of the template, or of the conversation."""
        thought = f"{BEGIN}\n{THOUGHT}\n{END}\n\n{ANSWER}"
        if not self._agrees([QUESTION, _assistant(ANSWER)]):
            pair = [QUESTION, _assistant(thought)]
            return mismatch.for_template(thoughts_help=self._agrees(pair))
        system = list(chat.messages[:1]) if chat.messages[0]["role"] == "system" else []
        users = [i for i, message in enumerate(chat.messages) if message["role"] == "user"]
        alone = []
        for turn in chat.learned:
            begin = max((at for at in users if at < turn), default=len(system))
            alone.append([*system, *chat.messages[begin : turn + 1]])
        one_answer_helps = len(alone) > 1 and all(
            self._agrees(messages, chat.tools) for messages in alone
        )
        return mismatch.for_conversation(one_answer_helps=one_answer_helps)

    def _agrees(self, messages: Messages, tools: list[Any] | None = None) -> bool:
        """Whether a conversation with one answer begins with its prompt and has its contents."""
        try:
            text = self._render(messages, tools)
            prompt = self._render(messages[:-1], tools, prompt=True)
        except DataError:
            return False
        is_written = THOUGHT not in messages[-1]["content"] or THOUGHT in text
        return text.startswith(prompt) and is_written

    def _answer_end(self, text: str, messages: Messages, turn: int, *, first: int) -> int:
        """Where the turn of this answer ends, including its last token."""
        content = messages[turn]["content"]
        tail = self._tail(tuple(message["role"] for message in messages[: turn + 1]))
        special = self._special.search(tail)
        closing = tail[: special.end()] if special else tail
        if turn == len(messages) - 1:
            end = len(text) - len(tail) if text.endswith(tail) else -1
        elif special:
            end = text.find(closing, first)
        else:
            forms = [form for form in (content, content.strip()) if text.find(form, first) >= 0]
            end = text.find(forms[0], first) + len(forms[0]) if forms else -1
        if end < first or not text.startswith(closing, end):
            raise underivable(f"ends message {turn + 1} in another way than other answers")
        if not without_blanks(text[first:end]).endswith(without_blanks(content)):
            raise underivable(
                f"changes or leaves out a part of the assistant's text in message {turn + 1} "
                "(usually the reasoning of earlier turns)",
                remedy=SPLIT if len(messages) > turn + 1 else UNTHINK,
            )
        return end + len(closing)

    def _tail(self, roles: tuple[str, ...]) -> str:
        """What the template writes after the last answer of a conversation with these roles."""
        if roles not in self._tails:
            probe = [{"role": role, "content": _PROBE.format(i)} for i, role in enumerate(roles)]
            text = self._render(probe)
            answer = probe[-1]["content"]
            if text.count(answer) != 1:
                raise underivable(f"writes an answer {text.count(answer)} times")
            tail = text[text.index(answer) + len(answer) :]
            if not tail.strip():
                raise no_end_of_turn(self._renderer.special_tokens.get("eos_token"))
            self._tails[roles] = tail
        return self._tails[roles]


def _assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}
