"""Which parts of an answer, and which results of tools, a chat template leaves out.

The words of a part may stand in another part as well: a thought names the function that is called,
a call holds the words of the text beside it. So the template is asked with words that stand nowhere
else: once per form of an answer (its parts, and how many calls), behind a question alone. What it
leaves out there is asked again in the conversation itself.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ftdist.data.template_renderer import QUESTION, TemplateRenderer
from ftdist.data.thoughts import BEGIN, END, begin_thought
from ftdist.errors import DataError

Messages = Sequence[dict[str, Any]]

THOUGHT, TEXT, CALL = "thought4probe", "text5probe", "call{}probe"
_KEY, _VALUE, _RESULT, _ID = "key{}probe", "value{}probe", "result{}probe", "probe{:04}"
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "function6probe",
            "description": "A probe.",
            "parameters": {"type": "object", "properties": {}},
        },
    }
]


class PartProbe:
    """Finds what a template leaves out.

    Args:
        renderer: the template.
    """

    def __init__(self, renderer: TemplateRenderer) -> None:
        self._renderer = renderer
        self._known: dict[str, bool] = {}

    def of_answer(self, messages: Messages, tools: list[Any] | None) -> list[str]:
        """What is left out of the last message, an answer: `THOUGHT`, `TEXT`, `CALL` by number."""
        answer, words = _answer(messages[-1])
        if words == {TEXT: [TEXT]}:
            return []
        return self._left_out(messages[:-1], [answer], words, tools)

    def of_results(self, messages: Messages, tools: list[Any] | None) -> bool:
        """Whether one is left out of the results of tools that the messages end in."""
        begin = next(at for at in range(len(messages), 0, -1) if messages[at - 1]["role"] != "tool")
        results, words = _results(messages[begin:])
        if messages[begin - 1]["role"] == "assistant":
            begin, results = begin - 1, [_answer(messages[begin - 1])[0], *results]
        return bool(self._left_out(messages[:begin], results, words, tools))

    def _left_out(
        self,
        before: Messages,
        probes: list[dict[str, Any]],
        words: dict[str, list[str]],
        tools: list[Any] | None,
    ) -> list[str]:
        """The keys of `words` of which one is not written with the probes as last messages."""
        key = json.dumps([probes, bool(tools)])
        if key not in self._known:
            missing = self._missing([QUESTION, *probes], words, _TOOLS if tools else None)
            self._known[key] = missing == []
        if self._known[key]:
            return []
        return self._missing([*before, *probes], words, tools) or []

    def _missing(
        self, messages: Messages, words: dict[str, list[str]], tools: list[Any] | None
    ) -> list[str] | None:
        """The same for whole conversations; None: the template refuses this one."""
        try:
            text, _ = self._renderer.render(messages, tools)
        except DataError:
            return None
        return [part for part, each in words.items() if not all(word in text for word in each)]


def _answer(message: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """An answer of the same form with words of its own, by part."""
    probe: dict[str, Any] = {"role": "assistant"}
    words: dict[str, list[str]] = {}
    begun = begin_thought(message["content"])
    if "reasoning_content" in message:
        probe["reasoning_content"] = THOUGHT
    text = TEXT if (begun.rest if begun else message["content"]).strip() else ""
    thought = THOUGHT if begun and begun.thought.strip() else ""
    probe["content"] = f"{BEGIN}\n{thought}\n{END}\n\n{text}" if begun else text
    if thought or "reasoning_content" in message:
        words[THOUGHT] = [THOUGHT]
    if text:
        words[TEXT] = [TEXT]
    for number, call in enumerate(message.get("tool_calls", [])):
        name, key, value = (each.format(number) for each in (CALL, _KEY, _VALUE))
        given = call["function"]["arguments"]
        arguments = {} if given in ({}, "{}") else {key: value}
        words[name] = [name, *arguments, *arguments.values()]
        function = {
            "name": name,
            "arguments": json.dumps(arguments) if isinstance(given, str) else arguments,
        }
        # Some templates write a call's name by its id alone (Kimi: `functions.NAME:0`).
        own_id = call.get("id", "")
        has_name = call["function"]["name"] in own_id and not own_id.isalnum()
        probe.setdefault("tool_calls", []).append(
            {
                "type": "function",
                "id": f"{name}:{number}" if has_name else _ID.format(number),
                "function": function,
            }
        )
    return probe, words


def _results(
    messages: Iterable[dict[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Results of tools with words of their own, where they have any."""
    probes: list[dict[str, Any]] = []
    words: dict[str, list[str]] = {}
    for number, message in enumerate(messages):
        word = _RESULT.format(number) if message["content"].strip() else ""
        words |= {word: [word]} if word else {}
        probes.append(
            {
                "role": "tool",
                "name": CALL.format(number),
                "tool_call_id": _ID.format(number),
                "content": word,
            }
        )
    return probes, words
