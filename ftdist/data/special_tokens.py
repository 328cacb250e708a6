"""Text to token ids, with special tokens from the template alone, never from what people wrote.

A user who types `<|im_start|>` means these twelve characters. Such strings are shielded before
the template is rendered; what then still looks like a special token was written by the template.
The text is encoded whole, by a twin of the tokenizer in which every special token bears a name
that nobody can type, so that merges across the border of template and content stay as they are.
"""

import json
import re
import secrets
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from ftdist.data.byte_offsets import byte_level
from ftdist.errors import DataError

Span = tuple[int, int]
"""First character and the one after the last."""

_FEW = 32
"""Texts in which it is too early to say that tokens are not their bytes."""

_NEVER = re.compile(r"(?!)")


class Encoded(NamedTuple):
    """Ids of one text, the characters that each covers, `starts[k]:ends[k]`, and its kind."""

    ids: list[int]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    special: npt.NDArray[np.bool_]

    def within(self, spans: list[Span]) -> npt.NDArray[np.bool_]:
        """Which tokens hold a character of one of the spans; bool, one a token."""
        inside = np.zeros(len(self.ids), dtype=np.bool_)
        for first, end in spans:
            # A token of no characters (a word mark that was put in) belongs to what follows.
            touching = (self.starts < end) & ((self.ends > first) | (self.starts >= first))
            # A special token that swallows blanks of the span's beginning still stands before it.
            inside |= touching & ~(self.special & (self.starts < first))
        return inside


def _touches(token: Span | None, first: int, end: int) -> bool:
    """Whether a token counts to a span, as in `Encoded.within`."""
    return token is not None and token[0] < end and (token[1] > first or token[0] >= first)


class SpecialTokens:
    """A tokenizer's special tokens, and how text is encoded with and without them.

    Args:
        tokenizer: a fast one (with a `tokenizer.json`).

    Raises:
        DataError: the tokenizer cannot say which characters a token stands for.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise DataError(
                f"The tokenizer is a {type(tokenizer).__name__}, which cannot say which characters "
                "a token stands for.",
                remedy="give the model folder a tokenizer.json (a fast tokenizer).",
            )
        added: dict[int, Any] = tokenizer.added_tokens_decoder
        self.names = [str(token) for _, token in sorted(added.items()) if token.special]
        largest = max((*tokenizer.get_vocab().values(), *added), default=0)  # ids may leave gaps
        self._is_special = np.zeros(largest + 1, dtype=np.bool_)
        self._is_special[[at for at, token in added.items() if token.special]] = True
        longest_first = sorted(self.names, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, longest_first))) if self.names else _NEVER
        self.state: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
        """The tokenizer's own description, without what acts after tokenising."""
        # Post-processors add tokens that the template has written already, and some trim offsets.
        self.state |= {"post_processor": None, "truncation": None, "padding": None}
        self._plain = Tokenizer.from_str(json.dumps(self.state))
        self._bytes = byte_level(self._plain, self.state, special=self._is_special)
        self._nonce = secrets.token_hex(8)
        self._number = {name: index for index, name in enumerate(self.names)}
        self._shield = re.compile(f"\ue000{self._nonce}x([0-9]+)\ue001")

    def shield(self, content: str) -> str:
        """The same text, its special-token strings replaced by what no template touches."""
        if not self.names:
            return content
        return self.pattern.sub(
            lambda match: f"\ue000{self._nonce}x{self._number[match[0]]}\ue001", content
        )

    def unshield(self, text: str) -> str:
        """The text as people will read it."""
        return self._shield.sub(lambda match: self.names[int(match[1])], text)

    def encode(
        self, texts: list[str], *, spans: list[list[Span]]
    ) -> list[tuple[list[int], list[bool]]]:
        """Encode rendered texts that may hold shielded strings.

        Args:
            texts: rendered from shielded contents.
            spans: of each text, in order, not overlapping.

        Returns:
            per text its ids, and which of them hold a character of one of the spans.
        """
        plain = [self._shield.search(text) is None for text in texts]
        moved = [
            (text, text_spans) if is_plain else self._dress(text, text_spans)
            for text, text_spans, is_plain in zip(texts, spans, plain, strict=True)
        ]
        results: dict[int, tuple[list[int], list[bool]]] = {}
        if self._bytes is not None:
            chosen = [index for index, is_plain in enumerate(plain) if is_plain]
            quick = self._plain.encode_batch_fast(
                [texts[index] for index in chosen], add_special_tokens=False
            )
            for index, encoding in zip(chosen, quick, strict=True):
                ids = encoding.ids
                learned = self._bytes.within(texts[index], ids, spans[index])
                if learned is not None:
                    results[index] = ids, learned
            if len(chosen) - len(results) > max(_FEW, len(results)):
                self._bytes = None  # most have to be encoded twice
        for backend_is_plain in (True, False):
            chosen = [
                index
                for index, is_plain in enumerate(plain)
                if is_plain == backend_is_plain and index not in results
            ]
            if chosen:
                backend = self._plain if backend_is_plain else self._twin
                encodings = backend.encode_batch(
                    [moved[index][0] for index in chosen], add_special_tokens=False
                )
                for index, encoding in zip(chosen, encodings, strict=True):
                    ids = encoding.ids  # a new list each time that it is asked for
                    results[index] = ids, self._within(encoding, ids, moved[index][1])
        return [results[index] for index in range(len(texts))]

    def _within(self, encoding: Encoding, ids: list[int], spans: list[Span]) -> list[bool]:
        """Which tokens hold a character of one of the spans.

        The borders alone are looked up; where a border stands in no token all of them are.
        """
        inside = [False] * len(ids)
        for first, end in spans:
            begin, last = encoding.char_to_token(first), encoding.char_to_token(end - 1)
            if first >= end or begin is None or last is None:
                whole: list[bool] = self._encoded(encoding).within(spans).tolist()
                return whole
            # One character may be several tokens, and some tokens are of no character.
            while begin > 0 and _touches(encoding.token_to_chars(begin - 1), first, end):
                begin -= 1
            while last + 1 < len(inside) and _touches(
                encoding.token_to_chars(last + 1), first, end
            ):
                last += 1
            chars = encoding.token_to_chars(begin)
            if chars is not None and chars[0] < first and self._is_special[ids[begin]]:
                begin += 1
            inside[begin : last + 1] = [True] * (last + 1 - begin)
        return inside

    def encode_text(self, text: str) -> Encoded:
        """Encode plain text, in which nothing is a special token."""
        backend = self._plain if self.pattern.search(text) is None else self._twin
        return self._encoded(backend.encode(text, add_special_tokens=False))

    def _dress(self, text: str, spans: list[Span]) -> tuple[str, list[Span]]:
        """Give the template's special tokens the twin's names, and people's strings their own."""
        cuts = [0, *(cut for span in spans for cut in span), len(text)]
        pieces = [
            self._shield.sub(
                lambda match: self.names[int(match[1])],
                self.pattern.sub(lambda match: self._twin_name(match[0]), text[first:end]),
            )
            for first, end in pairwise(cuts)
        ]
        ends = np.cumsum([len(piece) for piece in pieces]).tolist()
        return "".join(pieces), list(zip(ends[0:-1:2], ends[1::2], strict=True))

    def _twin_name(self, name: str) -> str:
        return f"\ue002{self._nonce}x{self._number[name]}\ue003"

    @cached_property
    def _twin(self) -> Tokenizer:
        """The tokenizer, its special tokens renamed; ids, flags and merges are the same."""
        state = json.loads(json.dumps(self.state))
        known = set(self.names)
        for token in state["added_tokens"]:
            if token["content"] in known:
                token["content"] = self._twin_name(token["content"])
        model = state["model"]
        if isinstance(model["vocab"], dict):
            model["vocab"] = {
                self._twin_name(piece) if piece in known else piece: index
                for piece, index in model["vocab"].items()
            }
        else:
            model["vocab"] = [
                [self._twin_name(piece) if piece in known else piece, score]
                for piece, score in model["vocab"]
            ]
        if model.get("unk_token") in known:
            model["unk_token"] = self._twin_name(model["unk_token"])
        twin = Tokenizer.from_str(json.dumps(state))
        for name in self.names:
            if twin.token_to_id(self._twin_name(name)) != self._plain.token_to_id(name):
                raise DataError(
                    f"The special token {name!r} cannot be told from text that looks like it.",
                    remedy="remove that string from the conversations, or use another tokenizer.",
                )
        return twin

    def _encoded(self, encoding: Encoding) -> Encoded:
        offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        return Encoded(
            ids=encoding.ids,
            starts=offsets[:, 0],
            ends=offsets[:, 1],
            special=self._is_special[np.asarray(encoding.ids, dtype=np.int64)],
        )
