"""The chat template itself, and the kinds of messages that it writes."""

import json
from collections.abc import Iterator
from typing import Any

from ftdist.check.findings import Finding
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat, Message
from ftdist.errors import DataError

_USER = Message(role="user", content="sentence1probe")
_ANSWER = Message(role="assistant", content="sentence2probe")
_TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "tool1probe",
                "description": "Looks something up.",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ]
)


def template_findings(tokenizer: Any, encoder: ChatEncoder, *, is_own: bool) -> Iterator[Finding]:
    """Which template is used, and the kinds of messages that it writes.

    Args:
        tokenizer: of the model.
        encoder: with it.
        is_own: whether the model had none, so that ours is used.
    """
    takes = accepted(encoder, tokenizer)
    refused = [name for name, is_taken in takes.items() if not is_taken]
    roles = f"It takes {', '.join([n for n, is_taken in takes.items() if is_taken])}"
    roles += f"; not {', '.join(refused)}." if refused else "."
    several = isinstance(tokenizer.chat_template, dict)
    if is_own:
        yield Finding(
            check="chat template",
            status="warning",
            message=f"The model has no chat template; ftdist uses its own. {roles}",
            remedy="if the model was trained with a template, put it into chat_template.jinja of "
            "the model folder; else leave it: the export will hold ftdist's template.",
            other_trainers="They refuse such a model, or use a template of their own.",
        )
    elif several:
        names = ", ".join(sorted(tokenizer.chat_template))
        has_other = "tool_use" in tokenizer.chat_template
        yield Finding(
            check="chat template",
            status="warning" if has_other else "ok",
            message=f"Of the model's templates ({names}) `default` is used. {roles}",
            remedy="if conversations have tools, make `tool_use` the model's only template."
            if has_other
            else "",
            other_trainers="transformers takes `tool_use` for conversations with tools."
            if has_other
            else "",
        )
    else:
        yield Finding(check="chat template", status="ok", message=roles)


def accepted(encoder: ChatEncoder, tokenizer: Any) -> dict[str, bool]:
    """For each kind of message, whether the template writes its text instead of refusing it."""
    system = Message(role="system", content="sentence0probe")
    call = Message(
        role="assistant",
        content="",
        tool_calls=[
            {
                "type": "function",
                "id": "call00001",
                "function": {"name": "call1probe", "arguments": "{}"},
            }
        ],
    )
    result = Message(role="tool", content="sentence3probe", tool_call_id="call00001")
    developer = Message(role="developer", content="sentence4probe")
    chats = {
        "system": (Chat([system, _USER]), "sentence0probe"),
        "developer": (Chat([developer, _USER]), "sentence4probe"),
        "user": (Chat([_USER]), "sentence1probe"),
        "assistant": (Chat([_USER, _ANSWER, _USER]), "sentence2probe"),
        "tools": (Chat([_USER], _TOOLS), "tool1probe"),
        "tool calls": (Chat([_USER, call, result], _TOOLS), "call1probe"),
        "tool results": (Chat([_USER, call, result], _TOOLS), "sentence3probe"),
    }
    return {
        name: _writes(encoder, tokenizer, chat, text=text) for name, (chat, text) in chats.items()
    }


def _writes(encoder: ChatEncoder, tokenizer: Any, chat: Chat, *, text: str) -> bool:
    try:
        return text in tokenizer.decode(encoder.prompt(chat))
    except DataError:
        return False
