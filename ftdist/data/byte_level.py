"""Where each token of a byte-level tokenizer stands, told from how many bytes it is.

Such a tokenizer splits the UTF-8 bytes of a text among its tokens and leaves none out, so a token
begins where those before it end. To have `tokenizers` keep account of that takes it a third longer.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer


class ByteLevel:
    """The bytes of each token.

    Args:
        lengths: bytes, by id.
        special: bool, by id: whether the token is a special one.
        composed: whether the tokenizer brings text into normal form C before it splits it.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.int64],
        *,
        special: npt.NDArray[np.bool_],
        composed: bool,
    ) -> None:
        self._lengths, self._special, self._composed = lengths, special, composed

    def within(
        self, text: str, ids: list[int], spans: Sequence[tuple[int, int]]
    ) -> list[bool] | None:
        """Which tokens of a text hold a character of one of the spans.

        Args:
            text: of which the tokens were made.
            ids: of the tokens.
            spans: first character and the one after the last; in order, not overlapping.

        Returns:
            one a token; None: the tokens are not the text's bytes (blanks that a special token took
            along, a text that was not in normal form).
        """
        if self._composed and not unicodedata.is_normalized("NFC", text):
            return None
        lengths = self._lengths[ids]
        ends = lengths.cumsum()
        borders = _bytes_before(text, [cut for span in spans for cut in span] + [len(text)])
        if borders[-1] != (ends[-1] if ids else 0):
            return None
        inside = np.zeros(len(ids), dtype=np.bool_)
        for first, end in zip(borders[:-1:2], borders[1::2], strict=True):
            begin = int(ends.searchsorted(first, side="right"))
            last = int(ends.searchsorted(end, side="left"))
            if begin <= last < len(ids) and self._special[ids[begin]]:
                begin += bool(ends[begin] - lengths[begin] < first)
            inside[begin : last + 1] = True
        found: list[bool] = inside.tolist()
        return found


def byte_level(
    tokenizer: Tokenizer, state: Mapping[str, Any], *, special: npt.NDArray[np.bool_]
) -> ByteLevel | None:
    """What tells where tokens stand; None: the tokenizer is of another kind.

    Args:
        tokenizer: byte-level if pieces of its text become bytes and nothing is put before them.
        state: its own description (`tokenizer.json`).
        special: bool, by id.
    """
    steps = state["pre_tokenizer"] or {}
    normalizer = state["normalizer"] or {}
    to_bytes = [
        step for step in steps.get("pretokenizers", [steps]) if step.get("type") == "ByteLevel"
    ]
    if (
        state["model"].get("type") != "BPE"
        or len(to_bytes) != 1
        or to_bytes[0]["add_prefix_space"]
        or normalizer.get("type") not in (None, "NFC")
    ):
        return None
    lengths = np.zeros(len(special), dtype=np.int64)
    for piece, index in tokenizer.get_vocab(with_added_tokens=False).items():
        lengths[index] = len(piece)  # a character stands for a byte
    for index, added in tokenizer.get_added_tokens_decoder().items():
        lengths[index] = len(added.content.encode())
    return ByteLevel(lengths, special=special, composed=bool(normalizer))


def _bytes_before(text: str, cuts: Sequence[int]) -> list[int]:
    """How many bytes stand before each of some characters, which are given in order."""
    if text.isascii():
        return list(cuts)
    sizes = [len(text[first:end].encode()) for first, end in zip([0, *cuts], cuts, strict=False)]
    return list(accumulate(sizes))
