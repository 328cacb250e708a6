"""Chat templates: rendered, and asked where in the text each answer of the assistant stands.

Few templates mark what the assistant writes (`{% generation %}`); in those that do, the marks are
used. In all others an answer is what follows the prompt that the same template writes when it asks
for that answer, up to and including the token that ends the turn. Each conversation is checked:
a template that writes the conversation in another way than it would have prompted for it (older
reasoning taken out, messages moved) cannot be learned from exactly, and is refused by name.
"""

import re
from collections.abc import Callable, Sequence

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from ftdist.data.messages import Message
from ftdist.data.special_tokens import Span
from ftdist.data.template_analysis import leaves_contents_unread
from ftdist.data.template_layout import Shape, probe_of, shape_of
from ftdist.errors import DataError, ModelError

_MARKS = re.compile(r"\{%-?\s*generation\s*-?%\}")

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


class AnswerFinder:
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
        self._names: dict[str, str] = dict(tokenizer.special_tokens_map)
        self._special = special
        self._marked = _MARKS.search(self.source) is not None
        self._unread = leaves_contents_unread(self.source)
        self._tails: dict[tuple[str, ...], str] = {}
        self._prompts: dict[tuple[str, ...], str] = {}
        self._shapes: dict[tuple[str, ...], Shape | None] = {}
        self._refuse_broken()

    def find(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        """Render a conversation, and find what is to be learned of it.

        Returns:
            the text, and a span for each assistant message: the answer with the end of its turn.

        Raises:
            DataError: the template refuses the conversation, or the answers cannot be found in it.
        """
        if self._marked:
            return self._find_marked(messages)
        shape = self._shape(tuple(message["role"] for message in messages))
        if shape is not None and self._unread:
            return shape.write(messages)
        text, _ = self._render(messages)
        written = None if shape is None else shape.write(messages)
        if written is not None and text == written[0]:
            return written
        return text, self._spans_by_prompts(text, messages)

    def _shape(self, roles: tuple[str, ...]) -> Shape | None:
        """What the template writes around contents in this order of roles, if it can be told."""
        if roles not in self._shapes:
            probe = probe_of(roles)
            try:
                text, _ = self._render(probe)
                spans = self._spans_by_prompts(text, probe, prompt=self._probe_prompt)
            except DataError:
                self._shapes[roles] = None  # the conversation at hand is told of it
                return None
            self._shapes[roles] = shape_of(text, probe, spans=spans)
        return self._shapes[roles]

    def _prompt(self, messages: Sequence[Message]) -> str:
        """What the template writes for an answer to these messages."""
        return self._render(messages, prompt=True)[0]

    def _probe_prompt(self, probe: Sequence[Message]) -> str:
        """The same for messages of a probe, which depend on the roles alone."""
        roles = tuple(message["role"] for message in probe)
        if roles not in self._prompts:
            self._prompts[roles] = self._prompt(probe)
        return self._prompts[roles]

    def _spans_by_prompts(
        self,
        text: str,
        messages: Sequence[Message],
        *,
        prompt: Callable[[Sequence[Message]], str] | None = None,
    ) -> list[Span]:
        """Spans found by asking the template for the prompt of each answer."""
        prompt = prompt or self._prompt
        turns = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        spans: list[Span] = []
        for at in turns:
            first = self._answer_start(text, messages, at, prompt=prompt)
            end = self._answer_end(text, messages, at, first=first)
            if spans and spans[-1][1] > first:
                raise _underivable(f"lets the answers of messages {turns} run into each other")
            spans.append((first, end))
        return spans

    def _refuse_broken(self) -> None:
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
                **self._names,
            )
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            roles = ", ".join(message["role"] for message in messages)
            raise DataError(
                f"The model's chat template refuses a conversation of {roles}: {error}.",
                remedy="change the conversation to what the template takes, or the template.",
            ) from error
        return texts[0], [(first, end) for first, end in indices[0]] if marks else []

    def _find_marked(self, messages: Sequence[Message]) -> tuple[str, list[Span]]:
        text, marked = self._render(messages, marks=True)
        answers = [message["content"] for message in messages if message["role"] == "assistant"]
        if len(marked) != len(answers):
            raise _underivable(f"marks {len(marked)} of {len(answers)} answers as generated")
        spans = []
        for (first, end), answer in zip(marked, answers, strict=True):
            if _squeeze(answer) not in _squeeze(text[first:end]):
                raise _underivable("leaves a part of an answer out of what it marks as generated")
            if self._special.search(text[first:end]) is None:
                following = self._special.match(text, end + _blanks(text[end:]))
                end = following.end() if following else end
            spans.append((first, end))
        return text, spans

    def _answer_start(
        self,
        text: str,
        messages: Sequence[Message],
        at: int,
        *,
        prompt: Callable[[Sequence[Message]], str],
    ) -> int:
        """Where the prompt for answer `at` ends: there the model would have begun to write."""
        if at == 0:
            raise DataError(
                "The conversation begins with the assistant: there is nothing to answer.",
                remedy="put a user message first.",
            )
        before = prompt(messages[:at])
        if not text.startswith(before):
            raise _underivable(
                f"prompts for message {at + 1} with other text than it writes before that message "
                "in the whole conversation"
            )
        return len(before)

    def _answer_end(self, text: str, messages: Sequence[Message], at: int, *, first: int) -> int:
        """Where the turn of answer `at` ends, its last token included."""
        content = messages[at]["content"]
        tail = self._tail(tuple(message["role"] for message in messages[: at + 1]))
        special = self._special.search(tail)
        closing = tail[: special.end()] if special else tail
        if at == len(messages) - 1:
            end = len(text) - len(tail) if text.endswith(tail) else -1
        elif special:
            end = text.find(closing, first)
        else:
            forms = (content, content.strip())
            end = next(
                (found + len(form) for form in forms if (found := text.find(form, first)) >= 0), -1
            )
        if end < first or not text.startswith(closing, end):
            raise _underivable(f"ends message {at + 1} in another way than other answers")
        if not _squeeze(text[first:end]).endswith(_squeeze(content)):
            raise _underivable(
                f"changes or leaves out a part of the assistant's text in message {at + 1} "
                "(reasoning of earlier turns, as a rule)"
            )
        return end + len(closing)

    def _tail(self, roles: tuple[str, ...]) -> str:
        """What the template writes after the answer that ends such a conversation."""
        if roles not in self._tails:
            probe = [Message(role=role, content=_PROBE.format(at)) for at, role in enumerate(roles)]
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


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip())
