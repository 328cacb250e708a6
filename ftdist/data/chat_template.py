"""Chat templates: rendered, and asked where in the text each answer of the assistant stands.

Few templates mark what the assistant writes (`{% generation %}`); in those that do, the marks are
used. In all others an answer is what follows the prompt that the same template writes when it asks
for that answer, up to and including the token that ends the turn. Each conversation is checked:
a template that writes the conversation in another way than it would have prompted for it (older
reasoning taken out, messages moved) cannot be learned from exactly, and is refused by name.
"""

import re
from collections.abc import Sequence

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from ftdist.data.messages import Message
from ftdist.data.special_tokens import Span
from ftdist.errors import DataError, ModelError

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")

_PROBE = "sentence{}probe"

_WITH_SPECIAL_TOKENS = (
    "{{% for message in messages %}}"
    "{{{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] }}}}"
    "{{% if message['role'] == 'assistant' %}}{{{{ {end} }}}}{{% else %}}"
    "{{{{ '<|im_end|>' }}}}{{% endif %}}"
    "{{{{ '\\n' }}}}{{% endfor %}}"
    "{{% if add_generation_prompt %}}{{{{ '<|im_start|>assistant\\n' }}}}{{% endif %}}"
)

_PLAIN = (
    "{{{{ {begin} }}}}{{% for message in messages %}}"
    "{{{{ '### ' + message['role'] + '\\n' + message['content'] }}}}"
    "{{% if message['role'] == 'assistant' %}}{{{{ {end} }}}}{{% endif %}}"
    "{{{{ '\\n' }}}}{{% endfor %}}"
    "{{% if add_generation_prompt %}}{{{{ '### assistant\\n' }}}}{{% endif %}}"
)


def default_chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """A chat template for a model that has none, of tokens that its tokenizer has already.

    Messages stand under a line that names the role; an answer ends with the model's own
    end-of-sequence token, so that whatever generates from the model stops there.

    Raises:
        DataError: the tokenizer has no end-of-sequence token.
    """
    if tokenizer.eos_token is None:
        raise DataError(
            "The model has no chat template, and its tokenizer no end-of-sequence token "
            "to end answers with.",
            remedy="set eos_token in its tokenizer_config.json, or add a chat_template.jinja.",
        )
    specials = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    if {"<|im_start|>", "<|im_end|>"} <= specials:
        return _WITH_SPECIAL_TOKENS.format(end="eos_token")
    ids = tokenizer("")["input_ids"]
    begins = bool(ids) and ids[0] == tokenizer.bos_token_id
    return _PLAIN.format(begin="bos_token" if begins else "''", end="eos_token")


def ensure_chat_template(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Give the tokenizer our template where it has none; saving the tokenizer then keeps it.

    Returns:
        whether ours was given.
    """
    if tokenizer.chat_template:
        return False
    tokenizer.chat_template = default_chat_template(tokenizer)
    return True


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

    def render(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        """Render a conversation and find what the model learns of it.

        Returns:
            the text, and per assistant message the span of the answer with the end of its turn.

        Raises:
            DataError: the template rejects the conversation, or its answers cannot be located.
        """
        if self._has_generation_marks:
            return self._render_marked(messages)
        text, _ = self._render(messages)
        return text, self._answer_spans(text, messages)

    def _answer_spans(self, text: str, messages: Sequence[Message]) -> list[Span]:
        """Locate each answer behind the prompt that the template writes for it."""
        turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        spans: list[Span] = []
        for turn in turns:
            first = self._answer_start(text, messages, turn)
            end = self._answer_end(text, messages, turn, first=first)
            if spans and spans[-1][1] > first:
                raise _underivable(f"lets the answers of messages {turns} run into each other")
            spans.append((first, end))
        return spans

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

    def _render_marked(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        text, marked = self._render(messages, marks=True)
        answers = [message["content"] for message in messages if message["role"] == "assistant"]
        if len(marked) != len(answers):
            raise _underivable(f"marks {len(marked)} of {len(answers)} answers as generated")
        spans = []
        for (first, end), answer in zip(marked, answers, strict=True):
            if _without_blanks(answer) not in _without_blanks(text[first:end]):
                raise _underivable("leaves a part of an answer out of what it marks as generated")
            if self._special.search(text[first:end]) is None:
                following = self._special.match(text, end + _leading_blanks(text[end:]))
                end = following.end() if following else end
            spans.append((first, end))
        return text, spans

    def _answer_start(self, text: str, messages: Sequence[Message], turn: int) -> int:
        """Where the prompt for this answer ends, which is where the model would begin to write."""
        if turn == 0:
            raise DataError(
                "The conversation begins with the assistant, so there is nothing to answer.",
                remedy="put a user message first.",
            )
        prompt, _ = self._render(messages[:turn], prompt=True)
        if not text.startswith(prompt):
            raise _underivable(
                f"prompts for message {turn + 1} with other text than it writes before that "
                "message in the whole conversation"
            )
        return len(prompt)

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
            raise _underivable(f"ends message {turn + 1} in another way than other answers")
        if not _without_blanks(text[first:end]).endswith(_without_blanks(content)):
            raise _underivable(
                f"changes or leaves out a part of the assistant's text in message {turn + 1} "
                "(usually the reasoning of earlier turns)"
            )
        return end + len(closing)

    def _tail(self, roles: tuple[str, ...]) -> str:
        """What the template writes after the last answer of a conversation with these roles."""
        if roles not in self._tails:
            probe = [Message(role=role, content=_PROBE.format(i)) for i, role in enumerate(roles)]
            text, _ = self._render(probe)
            answer = probe[-1]["content"]
            if text.count(answer) != 1:
                raise _underivable(f"writes an answer {text.count(answer)} times")
            tail = text[text.index(answer) + len(answer) :]
            if not tail.strip():
                raise _underivable(
                    "writes no end of turn after an answer, so that no model could learn to stop"
                )
            self._tails[roles] = tail
        return self._tails[roles]


def _underivable(what: str) -> DataError:
    return DataError(
        f"The model's chat template {what}, so what the assistant wrote cannot be told exactly.",
        remedy="change the conversation (with one answer it works with most templates), or mark "
        "the assistant's text in the template with {% generation %} and {% endgeneration %}.",
    )


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _leading_blanks(text: str) -> int:
    return len(text) - len(text.lstrip())
