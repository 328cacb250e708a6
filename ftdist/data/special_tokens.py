"""Tokenisation in which special tokens come from the chat template only, never from user text.

A user who types `<|im_start|>` means these twelve characters. Such strings are escaped before the
template is rendered, so any special token in the rendered text was written by the template. The
text is encoded as a whole, so merges across the border of template and content are unchanged: a
text with escapes by a shadow tokenizer, whose special tokens have names that nobody can type.
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

from ftdist.errors import DataError

Span = tuple[int, int]
"""First character and the one after the last."""

_NEVER = re.compile(r"(?!)")


class Encoded(NamedTuple):
    """Token ids of a text, the characters of each, `starts[k]:ends[k]`, and which are special."""

    ids: list[int]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    special: npt.NDArray[np.bool_]

    def within(self, spans: list[Span]) -> npt.NDArray[np.bool_]:
        """Which tokens hold a character of one of the spans; one bool per token."""
        inside = np.zeros(len(self.ids), dtype=np.bool_)
        for first, end in spans:
            # A token without characters (an inserted word mark) belongs to what follows it.
            touching = (self.starts < end) & ((self.ends > first) | (self.starts >= first))
            # A special token that swallows the span's leading blanks is still before the span.
            inside |= touching & ~(self.special & (self.starts < first))
        return inside


class SpecialTokens:
    """A tokenizer's special tokens, and how text is encoded with and without them.

    Args:
        tokenizer: a fast one (with a `tokenizer.json`).

    Raises:
        DataError: the tokenizer cannot map tokens to characters.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise DataError(
                f"The tokenizer is a {type(tokenizer).__name__}, which cannot map tokens to "
                "characters.",
                remedy="give the model folder a tokenizer.json (a fast tokenizer).",
            )
        added: dict[int, Any] = tokenizer.added_tokens_decoder
        self.name_of = {
            index: str(token) for index, token in sorted(added.items()) if token.special
        }
        self.names = list(self.name_of.values())
        largest = max((*tokenizer.get_vocab().values(), *added), default=0)  # ids may leave gaps
        self._is_special = np.zeros(largest + 1, dtype=np.bool_)
        self._is_special[[index for index, token in added.items() if token.special]] = True
        longest_first = sorted(self.names, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, longest_first))) if self.names else _NEVER
        self.state: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
        """The tokenizer's serialised state without its post-processing."""
        # Post-processors add tokens that the template has written already, and some trim offsets.
        self.state |= {"post_processor": None, "truncation": None, "padding": None}
        self._tokenizer = Tokenizer.from_str(json.dumps(self.state))
        self._nonce = secrets.token_hex(8)
        self._number = {name: index for index, name in enumerate(self.names)}
        self._escaped = re.compile(f"\ue000{self._nonce}x([0-9]+)\ue001")

    def escape(self, content: str) -> str:
        """Replace special-token strings in user text by placeholders that no template changes."""
        return self.pattern.sub(
            lambda match: f"\ue000{self._nonce}x{self._number[match[0]]}\ue001", content
        )

    def unescape(self, text: str) -> str:
        """A rendered text with the strings that `escape` replaced."""
        return self._escaped.sub(lambda match: self.names[int(match[1])], text)

    def has_escapes(self, text: str) -> bool:
        """Whether a rendered text holds placeholders of `escape`."""
        return self._escaped.search(text) is not None

    def encode(self, texts: list[str], *, cuts: list[list[int]]) -> list[tuple[Encoded, list[int]]]:
        """Encode rendered texts that may hold escaped strings.

        Args:
            texts: rendered from escaped contents.
            cuts: per text indices of characters, in order, none within an escaped string.

        Returns:
            per text its tokens, and where its cuts are in the text whose characters they name.
        """
        escaped = [self.has_escapes(text) for text in texts]
        prepared = [
            self._rename(text, cuts_of_text) if is_escaped else (text, cuts_of_text)
            for text, cuts_of_text, is_escaped in zip(texts, cuts, escaped, strict=True)
        ]
        encodings: dict[int, Encoding] = {}
        for with_escapes in (False, True):
            rows = [row for row, is_escaped in enumerate(escaped) if is_escaped == with_escapes]
            if rows:
                tokenizer = self._shadow if with_escapes else self._tokenizer
                batch = [prepared[row][0] for row in rows]
                encoded = tokenizer.encode_batch(batch, add_special_tokens=False)
                encodings |= zip(rows, encoded, strict=True)
        return [
            (self._with_offsets(encodings[row]), moved) for row, (_, moved) in enumerate(prepared)
        ]

    def encode_one(self, text: str) -> list[int]:
        """The ids of one rendered text."""
        [(encoded, _)] = self.encode([text], cuts=[[]])
        return encoded.ids

    def encode_text(self, text: str) -> Encoded:
        """Encode plain text without special tokens."""
        tokenizer = self._tokenizer if self.pattern.search(text) is None else self._shadow
        return self._with_offsets(tokenizer.encode(text, add_special_tokens=False))

    def _rename(self, text: str, cuts: list[int]) -> tuple[str, list[int]]:
        """Give the template's special tokens their shadow names, then unescape user text."""
        pieces = [
            self.unescape(
                self.pattern.sub(lambda match: self._shadow_name(match[0]), text[first:end])
            )
            for first, end in pairwise([0, *cuts, len(text)])
        ]
        ends: list[int] = np.cumsum([len(piece) for piece in pieces]).tolist()
        return "".join(pieces), ends[:-1]

    def _shadow_name(self, name: str) -> str:
        return f"\ue002{self._nonce}x{self._number[name]}\ue003"

    @cached_property
    def _shadow(self) -> Tokenizer:
        """The tokenizer with its special tokens renamed; ids, flags and merges are the same."""
        state = json.loads(json.dumps(self.state))
        names = {name: self._shadow_name(name) for name in self.names}
        for token in state["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        model = state["model"]
        if isinstance(model["vocab"], dict):
            model["vocab"] = {names.get(key, key): index for key, index in model["vocab"].items()}
        else:
            model["vocab"] = [[names.get(key, key), score] for key, score in model["vocab"]]
        if model.get("unk_token") in names:
            model["unk_token"] = names[model["unk_token"]]
        shadow = Tokenizer.from_str(json.dumps(state))
        for name, renamed in names.items():
            if shadow.token_to_id(renamed) != self._tokenizer.token_to_id(name):
                raise DataError(
                    f"The special token {name!r} cannot be told from text that looks like it.",
                    remedy="remove that string from the conversations, or use another tokenizer.",
                )
        return shadow

    def _with_offsets(self, encoding: Encoding) -> Encoded:
        ids = encoding.ids  # a new list on each access
        offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        special = self._is_special[np.asarray(ids, dtype=np.int64)]
        return Encoded(ids=ids, starts=offsets[:, 0], ends=offsets[:, 1], special=special)
