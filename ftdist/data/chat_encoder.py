"""Conversations and text as token ids, with the tokens that are learned marked."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from ftdist.data.chat_template import ChatTemplate, ensure_chat_template
from ftdist.data.messages import Message
from ftdist.data.special_tokens import Encoded, Span, SpecialTokens
from ftdist.errors import DataError
from ftdist.io.hashing import fingerprint

_COMPARED = 8
"""Conversations whose ids are compared with the tokenizer's own before it is trusted."""


@dataclass(frozen=True)
class Tokens:
    """One sample: token ids, and for each whether the model learns to write it.

    The first token is never learned: nothing stands before it that could predict it.
    """

    input_ids: list[int]
    loss: list[bool]

    def __post_init__(self) -> None:
        assert len(self.input_ids) == len(self.loss)
        assert not (self.loss and self.loss[0])

    @property
    def loss_tokens(self) -> int:
        """How many tokens are learned."""
        return sum(self.loss)


class ChatEncoder:
    """Turns conversations and text into tokens, exactly as the model will be prompted.

    For conversations without special-token strings the ids are those of
    `tokenizer.apply_chat_template(messages, tokenize=True)`; such strings in a message stay text.
    Learned are the assistant's answers with the token that ends each turn.

    Args:
        tokenizer: fast; given our template where it has none.
        system_prompt: system message for conversations that have none; None: as the template does.

    Raises:
        DataError: the tokenizer is slow, or has neither a template nor a token to end answers with.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, system_prompt: str | None) -> None:
        ensure_chat_template(tokenizer)
        self._tokenizer = tokenizer
        self._system_prompt = system_prompt
        self._special_tokens = SpecialTokens(tokenizer)
        self._template = ChatTemplate(tokenizer, special=self._special_tokens.pattern)
        self._compared = 0
        ids = tokenizer("")["input_ids"]
        self.begin_ids: list[int] = ids[:1] if ids and ids[0] == tokenizer.bos_token_id else []
        """What the tokenizer writes before any text: its begin-of-sequence token, or nothing."""
        self.end_ids: list[int] = (
            [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
        )
        """What ends a text: the end-of-sequence token, where there is one."""

    @property
    def template(self) -> str:
        """The chat template in use."""
        return self._template.source

    def fingerprint(self) -> str:
        """Differs whenever the same conversation could become other tokens."""
        special_tokens_map = dict(self._tokenizer.special_tokens_map)
        affixes = [self.begin_ids, self.end_ids]
        return fingerprint(
            self._special_tokens.state,
            self.template,
            self._system_prompt,
            affixes,
            special_tokens_map,
        )

    def encode(self, messages: Sequence[Message]) -> Tokens:
        """Encode one conversation.

        Raises:
            DataError: the template refuses it, or does not let its answers be told from the rest.
        """
        [tokens] = self.encode_many([messages])
        if isinstance(tokens, DataError):
            raise tokens
        return tokens

    def encode_many(self, conversations: Sequence[Sequence[Message]]) -> list[Tokens | DataError]:
        """Encode conversations together, which is faster; errors are returned, not raised."""
        results: list[Tokens | DataError | None] = [None] * len(conversations)
        texts: list[str] = []
        spans: list[list[Span]] = []
        rows: list[int] = []
        for row, messages in enumerate(conversations):
            try:
                text, answers = self._template.render(self._prepared(messages))
            except DataError as error:
                results[row] = error
                continue
            rows.append(row)
            texts.append(text)
            spans.append(answers)
        encoded = self._special_tokens.encode(texts, spans=spans)
        for row, text, (ids, learned) in zip(rows, texts, encoded, strict=True):
            self._compare(text, ids)
            learned[:1] = [False] * len(learned[:1])
            results[row] = Tokens(ids, learned)
        return [result for result in results if result is not None]

    def encode_text(self, text: str) -> Tokens:
        """Encode a whole text, all of it to be learned, up to its end-of-sequence token."""
        return self.wrap_text(self.text_tokens(text).ids, is_end=True)

    def text_tokens(self, text: str) -> Encoded:
        """The ids of plain text alone, and the characters that each stands for."""
        return self._special_tokens.encode_text(text)

    def wrap_text(self, ids: list[int], *, is_end: bool) -> Tokens:
        """A sample of consecutive ids of a text; `is_end`: they are its last."""
        whole = [*self.begin_ids, *ids, *(self.end_ids if is_end else [])]
        return Tokens(whole, [index > 0 for index in range(len(whole))])

    def _prepared(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with our system prompt, and with special-token strings shielded."""
        begin: list[Message] = []
        if self._system_prompt is not None and messages[0]["role"] != "system":
            begin = [Message(role="system", content=self._system_prompt)]
        return [
            Message(role=message["role"], content=self._special_tokens.escape(message["content"]))
            for message in (*begin, *messages)
        ]

    def _compare(self, text: str, ids: list[int]) -> None:
        """Make sure of the first conversations that the tokenizer itself gives the same ids."""
        if self._compared >= _COMPARED or self._special_tokens.has_escapes(text):
            return
        self._compared += 1
        if self._tokenizer(text, add_special_tokens=False)["input_ids"] != ids:
            raise DataError(
                f"The tokenizer ({type(self._tokenizer).__name__}) does not give the ids of "
                "its own tokenizer.json.",
                remedy="save the tokenizer again with the installed version of transformers.",
            )


def save_encoder(encoder: ChatEncoder, path: Path) -> None:
    """Write an encoder for worker processes."""
    path.write_bytes(pickle.dumps(encoder))


@lru_cache(maxsize=1)
def load_encoder(path: Path) -> ChatEncoder:
    """Read an encoder that `save_encoder` wrote; the last one is cached with its own caches."""
    encoder = pickle.loads(path.read_bytes())
    assert isinstance(encoder, ChatEncoder)
    return encoder
