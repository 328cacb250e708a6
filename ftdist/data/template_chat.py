"""Conversations in the form that a model's chat template takes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal

from ftdist.data.messages import INSTRUCTIONS, Chat, Message
from ftdist.data.special_tokens import SpecialTokens
from ftdist.data.template_errors import answerless, two_thoughts
from ftdist.data.template_renderer import TemplateRenderer
from ftdist.data.thoughts import BEGIN, END, begin_thought
from ftdist.errors import DataError

Reasoning = Literal["auto", "keep", "drop"]
"""What becomes of thoughts: as the template has them, all written or refused, taken out."""

_SHORT_ID = 9
_CACHED_TOOLS = 100


@dataclass(frozen=True)
class TemplateChat:
    """A conversation as templates take it.

    Attributes:
        messages: with parsed arguments, and strings of special tokens escaped.
        tools: function schemas.
        learned: the assistant's messages that the model learns.
        is_simple: whether messages have nothing but a role and a content, and all answers are
            learned.
    """

    messages: tuple[dict[str, Any], ...]
    tools: list[Any] | None
    learned: tuple[int, ...]
    is_simple: bool

    @cached_property
    def thoughts(self) -> frozenset[int]:
        """The assistant's messages that have a thought."""
        return frozenset(
            number
            for number, message in enumerate(self.messages)
            if message["role"] == "assistant" and thought_of(message)
        )

    def until(self, end: int) -> "TemplateChat":
        """The first `end` messages."""
        return replace(self, messages=self.messages[:end])

    def without_thoughts(self, turns: Sequence[int]) -> "TemplateChat":
        """The same without the thoughts of these messages."""
        messages = [
            _without_thought(message) if number in turns else message
            for number, message in enumerate(self.messages)
        ]
        return replace(self, messages=tuple(messages))


class ChatPreparation:
    """Brings conversations into the form that a template takes.

    Args:
        renderer: the template.
        special_tokens: escapes their strings in all text.
        system_prompt: system message for conversations that have none.
        reasoning: "drop" takes thoughts out.
    """

    def __init__(
        self,
        renderer: TemplateRenderer,
        special_tokens: SpecialTokens,
        *,
        system_prompt: str | None,
        reasoning: Reasoning,
    ) -> None:
        self._renderer = renderer
        self._escape, self._has_escapes = special_tokens.escape, special_tokens.has_escapes
        self._system_prompt = system_prompt
        self._drops_thoughts = reasoning == "drop"
        self._tools: dict[str, list[Any]] = {}

    def prepare(self, chat: Chat) -> TemplateChat:
        """A conversation as the template takes it.

        Raises:
            DataError: the template does not write its tools, or a message cannot be used.
        """
        begin: list[Message] = []
        if self._system_prompt is not None and chat.messages[0]["role"] not in INSTRUCTIONS:
            begin = [Message(role="system", content=self._system_prompt)]
        messages = [*begin, *chat.messages]
        if not chat.tools and all(map(_is_simple, messages)):
            return TemplateChat(
                tuple(
                    {"role": message["role"], "content": self._escape(message["content"])}
                    for message in messages
                ),
                tools=None,
                learned=tuple(_answers(messages)),
                is_simple=True,
            )
        prepared = tuple(self._message(message, number) for number, message in enumerate(messages))
        if any("tool_calls" in message for message in prepared) and self._renderer.needs_short_ids:
            _add_ids(prepared)
        return TemplateChat(
            prepared,
            tools=self._parsed_tools(chat.tools) if chat.tools else None,
            learned=tuple(n for n in _answers(messages) if messages[n].get("weight", 1)),
            is_simple=False,
        )

    def prepare_unescaped(self, chat: Chat) -> TemplateChat | None:
        """The same for the template alone; None if a text holds strings of special tokens.

        Raises:
            DataError: as for `prepare`.
        """
        prepared = self.prepare(chat)
        texts = json.dumps([prepared.messages, prepared.tools], ensure_ascii=False)
        return None if self._has_escapes(texts) else prepared

    def _message(self, message: Message, number: int) -> dict[str, Any]:
        role = message["role"]
        if role == "developer" and not self._renderer.knows_developer:
            role = "system"
        prepared: dict[str, Any] = {"role": role}
        if role == "assistant":
            prepared |= self._assistant(message, number)
        else:
            prepared["content"] = self._escape(message["content"])
        if "tool_call_id" in message:
            prepared["tool_call_id"] = self._id(message["tool_call_id"])
        if "name" in message:
            prepared["name"] = self._escape(message["name"])
        return prepared

    def _assistant(self, message: Message, number: int) -> dict[str, Any]:
        """Content, thought and calls of an answer."""
        begun = begin_thought(message["content"])
        thought = message.get("reasoning_content", "")
        calls = message.get("tool_calls", [])
        if self._drops_thoughts and (thought or begun):
            content = begun.rest.lstrip("\n") if begun else message["content"]
            if not content.strip() and not calls:
                raise answerless(number + 1)
            prepared: dict[str, Any] = {"content": self._escape(content)}
        elif begun and thought and begun.thought.strip() not in ("", thought.strip()):
            raise two_thoughts(number + 1)
        elif begun and not thought and self._renderer.thought_form != "field":
            # The tags are the assistant's own tokens, even where they are special ones.
            thought, rest = self._escape(begun.thought), self._escape(begun.rest)
            prepared = {"content": f"{begun.before}{BEGIN}{thought}{END}{rest}"}
        else:
            content = begun.rest.lstrip("\n") if begun else message["content"]
            if begun and not thought:
                thought = begun.thought.strip("\n")
            thought, content = self._escape(thought), self._escape(content)
            if thought and self._renderer.thought_form == "content":
                blanks = "\n\n" if content else ""
                content = f"{BEGIN}\n{thought.strip(chr(10))}\n{END}{blanks}{content}"
                thought = ""
            prepared = {"content": content}
            prepared |= {"reasoning_content": thought} if thought else {}
        if calls:
            prepared["tool_calls"] = [self._call(call, number) for call in calls]
        return prepared

    def _call(self, call: Any, number: int) -> dict[str, Any]:
        function = call["function"]
        try:
            arguments = json.loads(function["arguments"])
        except ValueError as error:
            raise DataError(
                f"The arguments of a call in message {number + 1} are no JSON: {error}.",
                remedy="write them as a JSON object.",
            ) from error
        prepared: dict[str, Any] = {
            "type": "function",
            "function": {
                "name": self._escape(function["name"]),
                "arguments": self._escape(function["arguments"])
                if self._renderer.takes_argument_text
                else _each_string(arguments, self._escape),
            },
        }
        if "id" in call:
            prepared["id"] = self._id(call["id"])
        return prepared

    def _id(self, name: str) -> str:
        is_short = len(name) == _SHORT_ID and name.isalnum()
        if is_short or not self._renderer.needs_short_ids:
            return self._escape(name)
        return _short_id(name)

    def _parsed_tools(self, text: str) -> list[Any]:
        if text not in self._tools:
            tools = _each_string(json.loads(text), self._escape)
            self._renderer.check_tools(tools, key=text)
            if len(self._tools) >= _CACHED_TOOLS:
                self._tools.clear()
            self._tools[text] = tools
        return self._tools[text]


_SIMPLE_ROLES = ("system", "user", "assistant")


def thought_of(message: dict[str, Any]) -> str:
    """The thought of an answer, wherever it stands; "" without one."""
    if thought := str(message.get("reasoning_content", "")).strip():
        return thought
    begun = begin_thought(message["content"])
    return begun.thought.strip() if begun else ""


def _without_thought(message: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in message.items() if key != "reasoning_content"}
    if begun := begin_thought(message["content"]):
        rest["content"] = begun.rest.lstrip("\n")
    return rest


def _short_id(name: str) -> str:
    return blake2b(name.encode(), digest_size=_SHORT_ID).hexdigest()[:_SHORT_ID]


def _add_ids(messages: Sequence[dict[str, Any]]) -> None:
    """Number calls without an id, and give their results the same, in the order of the calls."""
    unanswered: list[str] = []
    for number, message in enumerate(messages):
        for at, call in enumerate(message.get("tool_calls", [])):
            unanswered.append(call.setdefault("id", _short_id(f"call {number} {at}")))
        if message["role"] == "tool":
            following = unanswered[0] if unanswered else ""
            answered = message.setdefault("tool_call_id", following)
            unanswered = [each for each in unanswered if each != answered]


def _answers(messages: Sequence[Message]) -> list[int]:
    return [i for i, message in enumerate(messages) if message["role"] == "assistant"]


def _is_simple(message: Message) -> bool:
    """Whether a message has nothing but a role and a content without a thought at its begin."""
    return (
        len(message) == len(("role", "content"))
        and message["role"] in _SIMPLE_ROLES
        and not (message["role"] == "assistant" and begin_thought(message["content"]))
    )


def _each_string(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every string of it changed, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_string(each, change) for each in value]
    if isinstance(value, dict):
        return {change(key): _each_string(each, change) for key, each in value.items()}
    return value
