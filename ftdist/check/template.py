"""Whether training writes conversations as the model's own chat template does."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jinja2 import TemplateError

from ftdist.check.findings import Finding
from ftdist.check.plain_template import PlainTemplate
from ftdist.check.reading import ReadRow
from ftdist.config.schema import LibraryConfig
from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.data.messages import Chat, Message
from ftdist.errors import DataError

_COMPARED = 200
"""Conversations of each source that are rendered once more by the tokenizer itself."""

_TEMPLATE_ERRORS = (TemplateError, TypeError, ValueError, LookupError, AttributeError)

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
    """The template itself, and the kinds of messages that it writes.

    Args:
        tokenizer: of the model.
        encoder: with it.
        is_own: whether the model had none, so that ours is used.
    """
    takes = accepted(encoder, tokenizer)
    refused = [name for name, is_taken in takes.items() if not is_taken]
    roles = f"It takes {_listed([n for n, is_taken in takes.items() if is_taken])}"
    roles += f"; not {_listed(refused)}." if refused else "."
    several = isinstance(tokenizer.chat_template, dict)
    if is_own:
        yield Finding(
            check="chat template",
            status="warning",
            message=f"The model has no chat template; ftdist uses its own. {roles}",
            remedy="if the model was trained with a template, put it into chat_template.jinja of "
            "the model folder; else nothing: the export will hold ftdist's template.",
            other_trainers="They refuse such a model, or use a template of their own.",
        )
    elif several:
        names = _listed(sorted(tokenizer.chat_template))
        yield Finding(
            check="chat template",
            status="ok",
            message=f"Of the model's templates ({names}) `default` is used. {roles}",
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
                "function": {"name": "tool1probe", "arguments": "{}"},
            }
        ],
    )
    result = Message(
        role="tool", content="sentence3probe", tool_call_id="call00001", name="tool1probe"
    )
    developer = Message(role="developer", content="sentence4probe")
    chats = {
        "system": (Chat([system, _USER]), "sentence0probe"),
        "developer": (Chat([developer, _USER]), "sentence4probe"),
        "user": (Chat([_USER]), "sentence1probe"),
        "assistant": (Chat([_USER, _ANSWER, _USER]), "sentence2probe"),
        "tools": (Chat([_USER], _TOOLS), "tool1probe"),
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


class TemplateCheck:
    """Compares conversations with what the tokenizer's own template gives.

    Args:
        tokenizer: of the model.
        library: with the system prompt, and what to do about conversations that are refused.
    """

    def __init__(self, tokenizer: Any, library: LibraryConfig) -> None:
        self._tokenizer = tokenizer
        self._skips = library.on_invalid_row == "skip"
        self._plain = PlainTemplate(tokenizer, system_prompt=library.system_prompt)
        self._specials = [str(t) for t in tokenizer.added_tokens_decoder.values() if t.special]
        self._compared: Counter[str] = Counter()
        self._equal = self._prompts = self._other_forms = 0
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
        chat = Chat(conversation.messages, conversation.tools)
        contents = json.dumps(chat.messages, ensure_ascii=False) + chat.tools
        has_specials = any(special in contents for special in self._specials)
        if has_specials or self._compared[read.source] >= _COMPARED:
            return  # special tokens in text: apply_chat_template means something else by them
        self._compared[read.source] += 1
        self._compare(chat, read.samples[0], str(conversation.location))

    def _compare(self, chat: Chat, tokens: Tokens, location: str) -> None:
        try:
            ids = self._plain.ids(chat)
            text = "".join(self._plain.text(chat).split())
            prompts = self._prompts_of(chat)
        except _TEMPLATE_ERRORS as error:
            self._differing.append(f"{location} ({error})")
            return
        if ids[: len(tokens.input_ids)] == tokens.input_ids:  # what follows is not learned
            self._equal += 1
        elif _has_forms(chat):
            self._other_forms += 1
            return
        else:
            self._differing.append(location)
        starts = _learned_starts(tokens)
        self._prompts += len(starts)
        if not all(self._begins(tokens, start, prompts) for start in starts):
            self._other_prompts.append(location)
        for message in chat.messages:
            if "".join(message["content"].split()) not in text:
                self._lost.setdefault(message["role"], []).append(location)

    def _prompts_of(self, chat: Chat) -> list[list[int]]:
        turns = [i for i, message in enumerate(chat.messages) if message["role"] == "assistant"]
        return [self._plain.prompt(chat, before=turn) for turn in turns if turn]

    def _begins(self, tokens: Tokens, start: int, prompts: Sequence[list[int]]) -> bool:
        """Whether an answer begins where a prompt ends; blanks between them are nobody's."""
        return any(
            tokens.input_ids[: len(prompt)] == prompt
            and not self._tokenizer.decode(tokens.input_ids[len(prompt) : start]).strip()
            for prompt in prompts
            if len(prompt) <= start
        )

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        compared = self._compared.total()
        if not self._conversations:
            return
        yield self._of_refused()
        if not compared:
            return
        yield Finding(
            check="template parity",
            status="failed" if self._differing else "ok",
            message=f"{self._equal:,} of {compared:,} conversations compared have exactly the ids "
            f"of tokenizer.apply_chat_template{_first(self._differing)}."
            + (
                f" {self._other_forms:,} have thoughts, a developer or ids of calls, which are "
                "brought into the form that this template takes."
                if self._other_forms
                else ""
            ),
            remedy="report this as a bug of ftdist, with the model's name."
            if self._differing
            else "",
        )
        differing = self._other_prompts
        yield Finding(
            check="prompts",
            status="failed" if differing else "ok",
            message=f"Before each of {self._prompts:,} learned answers stands exactly the prompt "
            "for it."
            if not differing
            else f"In {len(differing):,} of {compared:,} conversations an answer does not follow "
            f"the prompt for it{_first(differing)}.",
            remedy="report this as a bug of ftdist, with the model's name." if differing else "",
        )
        if not self._lost:
            yield Finding(
                check="text kept",
                status="ok",
                message="The template writes the text of every message.",
            )
        for role, locations in self._lost.items():
            yield Finding(
                check="text kept",
                status="failed" if role != "assistant" else "warning",
                message=f"The template leaves out or changes text of {role} messages in "
                f"{len(set(locations)):,} of {compared:,} conversations{_first(locations)}.",
                remedy="let chat_template.jinja of the model folder write that role, or give its "
                "text another role."
                if role != "assistant"
                else "nothing, if these are thoughts of earlier turns; else correct the template.",
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
            f"{f' {others:,} have other reasons.' if others else ''}",
            remedy=remedy
            if self._skips
            else f"{remedy.removesuffix('.')}; or set library.on_invalid_row=skip to leave them "
            "out.",
        )


def _has_forms(chat: Chat) -> bool:
    """Whether the encoder may give the template another form of a message than the row has."""
    return any(
        message["role"] == "developer"
        or "reasoning_content" in message
        or "tool_call_id" in message
        or "<think>" in message["content"]
        for message in chat.messages
    )


def _learned_starts(tokens: Tokens) -> list[int]:
    """Where each run of learned tokens begins."""
    loss = [False, *tokens.loss]
    return [index for index, (before, now) in enumerate(pairwise(loss)) if now and not before]


def learned_ends(tokens: Tokens) -> list[int]:
    """The last token of each run of learned tokens, as its index."""
    loss = np.array([*tokens.loss, False])
    return np.flatnonzero(loss[:-1] & ~loss[1:]).tolist()


def _first(locations: Sequence[str]) -> str:
    return f" (the first: {locations[0]})" if locations else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
