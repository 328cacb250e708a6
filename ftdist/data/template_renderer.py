"""Run a tokenizer's chat template, and find out which form of a message it takes.

Templates agree on roles and contents, not on the rest: some read a thought from its own field,
others expect `<think>` in the text; some take a call's arguments as an object, others as text. Each
question is answered once per template, by what it writes of an example.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Literal

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils import chat_template_utils

from ftdist.data.messages import Message
from ftdist.data.special_tokens import Span
from ftdist.data.template_errors import ignored_tools
from ftdist.data.template_trial import EndlessTemplateError, render_limit, try_in_child
from ftdist.data.thoughts import BEGIN, END
from ftdist.errors import DataError, ModelError

_REFUSALS = (
    *(TemplateError, TypeError, ValueError, LookupError, AttributeError),
    *(EndlessTemplateError, MemoryError, RecursionError),
)
"""What a template raises that does not take a conversation, or never ends."""

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")

_SYSTEM: dict[str, Any] = {"role": "system", "content": "sentence0probe"}
QUESTION: dict[str, Any] = {"role": "user", "content": "sentence1probe"}
ANSWER = "sentence2probe"
THOUGHT = "sentence3probe"
_KEY, _VALUE = "word1probe", "word2probe"
_LONG_ID, _SHORT_ID = "a-long-probe-id", "probe0001"


class TemplateRenderer:
    """A tokenizer's chat template.

    Args:
        tokenizer: has a chat template.

    Raises:
        DataError: it has several, none of which is the default.
        ModelError: its template is broken.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        try:
            self.source: str = tokenizer.get_chat_template()
        except ValueError as error:
            raise DataError(
                "The model has several chat templates, and none is called `default`.",
                remedy="keep one template in the model folder's chat_template.jinja.",
            ) from error
        self.special_tokens: dict[str, str] = dict(tokenizer.special_tokens_map)
        self.has_generation_marks = _GENERATION.search(self.source) is not None
        self._tools_written: dict[str, bool] = {}
        self._check()

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: list[Any] | None = None,
        *,
        prompt: bool = False,
        marks: bool = False,
    ) -> tuple[str, list[Span]]:
        """Write a conversation.

        Args:
            messages: as templates take them.
            tools: function schemas.
            prompt: also ask for the next answer.
            marks: also return where the template marks text as generated.

        Raises:
            DataError: the template rejects the conversation.
        """
        try:
            with render_limit():
                return self._render(messages, tools, prompt=prompt, marks=marks)
        except _REFUSALS as error:
            reason = str(error).rstrip(".") or type(error).__name__
            roles = ", ".join(message["role"] for message in messages)
            raise DataError(
                f"The model's chat template refuses a conversation of {roles}: {reason}.",
                remedy="change the conversation to what the template takes, or the template.",
            ) from error

    def _render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: list[Any] | None,
        *,
        prompt: bool,
        marks: bool,
    ) -> tuple[str, list[Span]]:
        if not marks and not any("reasoning_content" in message for message in messages):
            return self._render_plain(messages, tools, prompt=prompt), []
        texts, indices = chat_template_utils.render_jinja_template(
            conversations=[[dict(message) for message in messages]],
            tools=tools,
            chat_template=self.source,
            add_generation_prompt=prompt,
            return_assistant_tokens_mask=marks,
            **self.special_tokens,
        )
        return texts[0], [(first, end) for first, end in indices[0]] if marks else []

    def _render_plain(
        self, messages: Sequence[Mapping[str, Any]], tools: list[Any] | None, *, prompt: bool
    ) -> str:
        """What `render_jinja_template` writes of messages that are plain data and have no thoughts.

        That function copies each message at each call, which takes twice the time of rendering.
        """
        compiled = chat_template_utils._compile_jinja_template(self.source)
        text: str = compiled.render(
            messages=list(messages),
            tools=tools,
            documents=None,
            add_generation_prompt=prompt,
            **self.special_tokens,
        )
        return text

    def check_tools(self, tools: list[Any], *, key: str) -> None:
        """Refuse tools that the template leaves out; `key` is their text.

        Raises:
            DataError: it does.
        """
        names = tool_names(tools)
        if key not in self._tools_written:
            # Some write tools in a system message only. One that refuses both reports the error
            # of the conversation.
            begins = ([QUESTION], [_SYSTEM, QUESTION])
            written = [(self._try(begin, tools), self._try(begin) or "") for begin in begins]
            adding = [adds_names(names, text, bare) for text, bare in written if text is not None]
            self._tools_written[key] = not adding or any(adding)
        if not self._tools_written[key]:
            raise ignored_tools(names)

    @cached_property
    def knows_developer(self) -> bool:
        """Whether the template has a rule for the role `developer`."""
        return "developer" in self.source

    @cached_property
    def thought_form(self) -> Literal["field", "either", "content"]:
        """Where the template reads a thought: in its own field, within the text, or in either."""
        in_field = self._answer(content=ANSWER, reasoning_content=THOUGHT)
        in_content = self._answer(content=f"{BEGIN}\n{THOUGHT}\n{END}\n\n{ANSWER}")
        if in_field is None or THOUGHT not in in_field:
            return "content"
        return "either" if in_field == in_content else "field"

    @cached_property
    def takes_argument_text(self) -> bool:
        """Whether the template needs a call's arguments as text; most write an object as JSON."""
        written = self._call(arguments={_KEY: _VALUE})
        if written is not None and f"{{'{_KEY}'" not in written:
            return False
        return self._call(arguments=f'{{"{_KEY}": "{_VALUE}"}}') is not None

    @cached_property
    def needs_short_ids(self) -> bool:
        """Whether the template takes ids of calls of nine letters and digits only (Mistral)."""
        arguments = f'{{"{_KEY}": "{_VALUE}"}}' if self.takes_argument_text else {_KEY: _VALUE}
        if self._call(arguments=arguments, call_id=_LONG_ID) is not None:
            return False
        return self._call(arguments=arguments, call_id=_SHORT_ID) is not None

    def _answer(self, **fields: Any) -> str | None:
        return self._try([QUESTION, {"role": "assistant", **fields}])

    def _call(self, *, arguments: Any, call_id: str = _SHORT_ID) -> str | None:
        function = {"name": "probe", "arguments": arguments}
        call = {"type": "function", "id": call_id, "function": function}
        text = self._try([QUESTION, {"role": "assistant", "content": "", "tool_calls": [call]}])
        return text if text is not None and _VALUE in text else None

    def _try(
        self, messages: Sequence[Mapping[str, Any]], tools: list[Any] | None = None
    ) -> str | None:
        try:
            return self.render(messages, tools)[0]
        except DataError:
            return None

    def _try_several(self) -> None:
        """Render short conversations of several forms."""
        chat = [QUESTION, {"role": "assistant", "content": ANSWER}]
        for messages in (chat, [*chat, *chat], [_SYSTEM, *chat]):
            for prompt in (False, True):
                with suppress(TemplateError, TypeError, ValueError, LookupError, AttributeError):
                    self._render(messages, None, prompt=prompt, marks=False)

    def _check(self) -> None:
        """Refuse a template that cannot render anything, before a conversation is blamed for it."""
        simplest = [Message(role="user", content="a"), Message(role="assistant", content="b")]
        try:
            try_in_child(self._try_several)
        except EndlessTemplateError as error:
            raise ModelError(
                f"The model's chat template {error}.",
                remedy="correct the model folder's chat_template.jinja, or take another model.",
            ) from error
        try:
            self.render(simplest)
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


def adds_names(names: Sequence[str], text: str, without: str) -> bool:
    """Whether a text with tools has each of their names more often than the text without them."""
    return all(text.count(name) > without.count(name) for name in names)


def tool_names(tools: list[Any]) -> list[str]:
    """The names of function schemas, with or without their wrapper."""
    functions = [tool.get("function", tool) for tool in tools if isinstance(tool, dict)]
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    return [name for name in names if isinstance(name, str) and name]
