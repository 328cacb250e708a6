"""Prompts for generation, tokenised exactly as in training.

A chat template may write something of its own between prompt and answer (an empty thought, a
space), and may end an answer with another token than the tokenizer's end-of-sequence token. A
trained model has learned both: prompts include the former, and generation stops at the latter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from ftdist.data.messages import Message

_QUESTION = Message(role="user", content="sentence1probe")
_ANSWER = Message(role="assistant", content="sentence2probe")


class PromptBuilder:
    """Tokenises prompts and answers.

    Args:
        tokenizer: has a chat template.
        system_prompt: put before every conversation; None: as the chat template does by itself.
    """

    def __init__(self, tokenizer: Any, *, system_prompt: str | None) -> None:
        self._tokenizer = tokenizer
        self._system_prompt = system_prompt
        around = _around_answer(tokenizer)
        is_written = bool(around.opening.strip())  # blanks belong to the answer's first word
        self._opening = self._tokens_after(around.prompt, around.opening) if is_written else []
        self._before = around.prompt + (around.opening if is_written else "")
        self._blank = "" if is_written else around.opening
        special = {
            index for index, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        self._end = [token for token in self._ids(around.tail) if token in special][:1]

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """A conversation up to where the answer begins."""
        messages = list(messages)
        if self._system_prompt is not None:
            messages.insert(0, Message(role="system", content=self._system_prompt))
        # Special-token strings in a question are text.
        ids: list[int] = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
        )
        return ids + self._opening

    def answer(self, text: str) -> list[int]:
        """An answer as tokenised after a prompt, without the end of its turn."""
        return self._tokens_after(self._before, self._blank + text) or self._ids(text)

    def ends(self, named: int | Sequence[int] | None) -> list[int]:
        """Tokens that end an answer.

        Args:
            named: those of the model's generation config.
        """
        own = [] if self._tokenizer.eos_token_id is None else [self._tokenizer.eos_token_id]
        first = [named] if isinstance(named, int) else list(named or [])
        return list(dict.fromkeys([*first, *self._end, *own]))

    def _tokens_after(self, before: str, text: str) -> list[int]:
        """The tokens of `text` after `before`; [] if a token spans both."""
        known, ids = self._ids(before), self._ids(before + text)
        return ids[len(known) :] if ids[: len(known)] == known else []

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


@dataclass(frozen=True, kw_only=True)
class _Around:
    """What a chat template writes before and after an answer.

    Attributes:
        prompt: with the question, up to where it asks for the answer.
        opening: from there to the answer.
        tail: after the answer.
    """

    prompt: str = ""
    opening: str = ""
    tail: str = ""


def _around_answer(tokenizer: Any) -> _Around:
    try:
        prompt = tokenizer.apply_chat_template(
            [_QUESTION], tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer.apply_chat_template([_QUESTION, _ANSWER], tokenize=False)
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError):
        return _Around()  # rendering a real conversation reports the error
    written, separator, tail = whole.rpartition(_ANSWER["content"])
    if not separator or not written.startswith(prompt):
        return _Around(prompt=prompt, tail=tail if separator else "")
    return _Around(prompt=prompt, opening=written[len(prompt) :], tail=tail)
