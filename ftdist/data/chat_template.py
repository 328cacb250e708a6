"""Chat templates: rendered, and asked where in the text each answer of the assistant stands.

Few templates mark what the assistant writes (`{% generation %}`); in those that do, the marks are
used. In all others an answer is what follows the prompt that the same template writes when it asks
for that answer, up to and including the token that ends the turn. Each conversation is checked,
with marks too: a template that writes the conversation in another way than it would have prompted
for it (older reasoning taken out, messages moved, a thought begun in the prompt alone) is refused
by name.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from ftdist.data.messages import Message
from ftdist.data.special_tokens import Span
from ftdist.data.template_errors import (
    SPLIT,
    UNTHINK,
    PromptMismatchError,
    no_end_of_turn,
    underivable,
    unmarked_opening,
)
from ftdist.errors import DataError, ModelError

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")

_PROBE = "sentence{}probe"
_QUESTION = Message(role="user", content="sentence1probe")
_ANSWER = "sentence2probe"
_THOUGHT = "sentence3probe"


class Rendered(NamedTuple):
    """A conversation as text.

    Attributes:
        text: as the template writes it.
        spans: what is learned: per assistant message the answer with the end of its turn.
        prompt_ends: per assistant message, where the prompt for it ends.
    """

    text: str
    spans: list[Span]
    prompt_ends: list[int]


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
        tokenizer: has a chat template.
        special: matches any special token's string.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, special: re.Pattern[str]) -> None:
        try:
            self.source: str = tokenizer.get_chat_template()
        except ValueError as error:
            raise DataError(
                "The model has several chat templates, and none is called `default`.",
                remedy="keep one template in the model folder's chat_template.jinja.",
            ) from error
        self._special_tokens: dict[str, str] = dict(tokenizer.special_tokens_map)
        self._special = special
        self._has_generation_marks = _GENERATION.search(self.source) is not None
        self._tails: dict[tuple[str, ...], str] = {}
        self._check_template()

    def render(self, messages: Sequence[Message]) -> Rendered:
        """Render a conversation and find what the model learns of it.

        Raises:
            DataError: the template rejects the conversation, its answers cannot be located, or a
                prompt for one of them is not how the conversation begins.
        """
        turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        if turns and not any(message["role"] == "user" for message in messages[: turns[0]]):
            raise DataError(
                "The conversation begins with the assistant, so there is nothing to answer.",
                remedy="put a user message first.",
            )
        try:
            if self._has_generation_marks:
                return self._render_marked(messages, turns)
            text, _ = self._render(messages)
            return self._locate(text, messages, turns)
        except PromptMismatchError as mismatch:
            raise self._explain(mismatch, messages, turns) from mismatch

    def prompt(self, messages: Sequence[Message]) -> str:
        """A conversation up to where the next answer begins.

        Raises:
            DataError: the template rejects the conversation.
        """
        return self._render(messages, prompt=True)[0]

    @cached_property
    def surroundings(self) -> Surroundings:
        """What the template writes around an answer; empty if it refuses a question alone."""
        try:
            prompt = self.prompt([_QUESTION])
            text, _ = self._render([_QUESTION, Message(role="assistant", content=_ANSWER)])
        except DataError:
            return Surroundings()  # rendering a real conversation reports the error
        before, separator, tail = text.rpartition(_ANSWER)
        if not separator or not before.startswith(prompt):
            return Surroundings(prompt=prompt, tail=tail if separator else "")
        return Surroundings(prompt=prompt, opening=before[len(prompt) :], tail=tail, text=text)

    def answer(self, text: str) -> str | None:
        """What the template writes from the prompt's end to the end of an answer; None: unknown."""
        around = self.surroundings
        try:
            whole, _ = self._render([_QUESTION, Message(role="assistant", content=text)])
        except DataError:
            return None
        end = len(whole) - len(around.tail)
        if not (whole.startswith(around.prompt) and whole.endswith(around.tail)):
            return None
        return whole[len(around.prompt) : end]

    def _locate(self, text: str, messages: Sequence[Message], turns: Sequence[int]) -> Rendered:
        """Locate each answer behind the prompt that the template writes for it."""
        spans: list[Span] = []
        for turn in turns:
            first = self._prompt_end(text, messages, turn)
            end = self._answer_end(text, messages, turn, first=first)
            if spans and spans[-1][1] > first:
                raise underivable(f"lets the answers of messages {turns} run into each other")
            spans.append((first, end))
        return Rendered(text, spans, [first for first, _ in spans])

    def _check_template(self) -> None:
        """Refuse a template that cannot render anything, before a conversation is blamed for it."""
        simplest = [Message(role="user", content="a"), Message(role="assistant", content="b")]
        try:
            self._render(simplest)
        except DataError as error:
            # What a template says by raise_exception is about a conversation.
            if type(error.__cause__) is TemplateError:
                return
            reason = " ".join(str(error.__cause__).split())
            raise ModelError(
                f"The model's chat template is broken: {reason}.",
                remedy="correct the chat template of the model folder (chat_template.jinja, or "
                "chat_template in tokenizer_config.json).",
            ) from error

    def _render(
        self, messages: Sequence[Message], *, prompt: bool = False, marks: bool = False
    ) -> tuple[str, list[Span]]:
        try:
            texts, indices = render_jinja_template(
                conversations=[[dict(message) for message in messages]],
                chat_template=self.source,
                add_generation_prompt=prompt,
                return_assistant_tokens_mask=marks,
                **self._special_tokens,
            )
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            roles = ", ".join(message["role"] for message in messages)
            raise DataError(
                f"The model's chat template refuses a conversation of {roles}: {error}.",
                remedy="change the conversation to what the template takes, or the template.",
            ) from error
        return texts[0], [(first, end) for first, end in indices[0]] if marks else []

    def _render_marked(self, messages: Sequence[Message], turns: Sequence[int]) -> Rendered:
        text, marked = self._render(messages, marks=True)
        if len(marked) != len(turns):
            raise underivable(f"marks {len(marked)} of {len(turns)} answers as generated")
        spans, prompt_ends = [], []
        for (first, end), turn in zip(marked, turns, strict=True):
            answer = messages[turn]["content"]
            if _without_blanks(answer) not in _without_blanks(text[first:end]):
                raise underivable(
                    "leaves a part of an answer out of what it marks as generated", remedy=SPLIT
                )
            prompt_ends.append(self._prompt_end(text, messages, turn))
            opening = text[prompt_ends[-1] : first]
            if opening.strip():
                raise unmarked_opening(opening, message=turn + 1)
            if self._special.search(text[first:end]) is None:
                following = self._special.match(text, end + _leading_blanks(text[end:]))
                end = following.end() if following else end
            spans.append((first, end))
        return Rendered(text, spans, prompt_ends)

    def _prompt_end(self, text: str, messages: Sequence[Message], turn: int) -> int:
        """Where the prompt for this answer ends, which is where the model would begin to write."""
        prompt = self.prompt(messages[:turn])
        if not text.startswith(prompt):
            raise PromptMismatchError(prompt, text, message=turn + 1, special=self._special)
        return len(prompt)

    def _explain(
        self, mismatch: PromptMismatchError, messages: Sequence[Message], turns: Sequence[int]
    ) -> DataError:
        """A mismatch with the remedy that helps: of the template, or of the conversation."""
        thought = f"<think>\n{_THOUGHT}\n</think>\n\n{_ANSWER}"
        if not self._agrees([_QUESTION, Message(role="assistant", content=_ANSWER)]):
            pair = [_QUESTION, Message(role="assistant", content=thought)]
            return mismatch.for_template(thoughts_help=self._agrees(pair))
        system = list(messages[:1]) if messages[0]["role"] == "system" else []
        alone = [[*system, *messages[max(turn - 1, len(system)) : turn + 1]] for turn in turns]
        one_answer_helps = len(turns) > 1 and all(map(self._agrees, alone))
        return mismatch.for_conversation(one_answer_helps=one_answer_helps)

    def _agrees(self, messages: Sequence[Message]) -> bool:
        """Whether a conversation with one answer begins with its prompt and has its contents."""
        try:
            text, _ = self._render(messages)
            self._prompt_end(text, messages, len(messages) - 1)
        except DataError:
            return False
        return _THOUGHT not in messages[-1]["content"] or _THOUGHT in text

    def _answer_end(self, text: str, messages: Sequence[Message], turn: int, *, first: int) -> int:
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
        if not _without_blanks(text[first:end]).endswith(_without_blanks(content)):
            raise underivable(
                f"changes or leaves out a part of the assistant's text in message {turn + 1} "
                "(usually the reasoning of earlier turns)",
                remedy=SPLIT if len(messages) > turn + 1 else UNTHINK,
            )
        return end + len(closing)

    def _tail(self, roles: tuple[str, ...]) -> str:
        """What the template writes after the last answer of a conversation with these roles."""
        if roles not in self._tails:
            probe = [Message(role=role, content=_PROBE.format(i)) for i, role in enumerate(roles)]
            text, _ = self._render(probe)
            answer = probe[-1]["content"]
            if text.count(answer) != 1:
                raise underivable(f"writes an answer {text.count(answer)} times")
            tail = text[text.index(answer) + len(answer) :]
            if not tail.strip():
                raise no_end_of_turn(self._special_tokens.get("eos_token"))
            self._tails[roles] = tail
        return self._tails[roles]


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _leading_blanks(text: str) -> int:
    return len(text) - len(text.lstrip())
