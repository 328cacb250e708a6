"""A conversation as transformers' own `apply_chat_template` renders it: what ours is compared with.

On purpose this shares no code with `ftdist.data`: it is what any other program would do.
"""

import json
from collections.abc import Sequence
from typing import Any

from ftdist.data.messages import Chat, Message


class PlainTemplate:
    """Renders with the tokenizer alone.

    Args:
        tokenizer: has a chat template.
        system_prompt: put before conversations without a system message; None: nothing is.
    """

    def __init__(self, tokenizer: Any, *, system_prompt: str | None) -> None:
        self._tokenizer, self._system_prompt = tokenizer, system_prompt

    def ids(self, chat: Chat) -> list[int]:
        """Token ids of a conversation."""
        ids: list[int] = self._render(chat, tokenize=True)
        return ids

    def text(self, chat: Chat) -> str:
        """A conversation as text."""
        text: str = self._render(chat, tokenize=False)
        return text

    def prompt(self, chat: Chat, *, before: int) -> list[int]:
        """Token ids of the prompt for message number `before`, counted from 0."""
        begin = Chat(chat.messages[:before], chat.tools)
        ids: list[int] = self._render(begin, tokenize=True, add_generation_prompt=True)
        return ids

    def _render(self, chat: Chat, **options: Any) -> Any:
        return self._tokenizer.apply_chat_template(
            self._plain(chat.messages),
            tools=json.loads(chat.tools) if chat.tools else None,
            return_dict=False,
            **options,
        )

    def _plain(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        plain = [_plain(message) for message in messages]
        if self._system_prompt is not None and plain[0]["role"] not in ("system", "developer"):
            plain.insert(0, {"role": "system", "content": self._system_prompt})
        return plain


def _plain(message: Message) -> dict[str, Any]:
    """A message with the arguments of its calls as objects, and without its weight."""
    fields: dict[str, Any] = {**message}
    fields.pop("weight", None)
    if "tool_calls" in fields:
        fields["tool_calls"] = [
            {
                **call,
                "function": {
                    **call["function"],
                    "arguments": json.loads(call["function"]["arguments"]),
                },
            }
            for call in fields["tool_calls"]
        ]
    return fields
