"""Where each token of a byte-level tokenizer stands, told from the bytes that it is.

Such a tokenizer shares the UTF-8 bytes of a text among its tokens. Where these, put together, are
the text again, each token begins where those before it end, and `tokenizers` need not keep account
of it, which takes it longer. Where they are not (blanks that a special token took along, bytes that
the vocabulary lacks, a text that was composed), it is asked.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer


class ByteLevel:
    """The bytes of each token.

    Args:
        pieces: bytes, by id.
        special: bool, by id: whether the token is a special one.
    """

    def __init__(self, pieces: Sequence[bytes], *, special: npt.NDArray[np.bool_]) -> None:
        self._pieces, self._special = pieces, special
        self._lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)

    def within(
        self, text: str, ids: list[int], spans: Sequence[tuple[int, int]]
    ) -> list[bool] | None:
        """Which tokens of a text hold a character of one of the spans.

        Args:
            text: of which the tokens were made.
            ids: of the tokens.
            spans: first character and the one after the last; in order, not overlapping.

        Returns:
            one a token; None: the tokens are not the text's bytes.
        """
        if b"".join(map(self._pieces.__getitem__, ids)) != text.encode():
            return None
        tokens = np.array(ids, dtype=np.int64)
        lengths = self._lengths[tokens]
        ends = lengths.cumsum()
        starts = ends - lengths
        borders = _bytes_before(text, [cut for span in spans for cut in span])
        begins = ends.searchsorted(borders[::2], side="right").tolist()
        behind = starts.searchsorted(borders[1::2], side="left").tolist()
        inside = np.zeros(len(ids), dtype=np.bool_)
        for first, begin, end in zip(borders[::2], begins, behind, strict=True):
            half = begin < end and self._special[ids[begin]] and starts[begin] < first
            inside[begin + bool(half) : end] = True
        found: list[bool] = inside.tolist()
        return found


def byte_level(
    tokenizer: Tokenizer, state: Mapping[str, Any], *, special: npt.NDArray[np.bool_]
) -> ByteLevel | None:
    """What tells where tokens stand; None: the tokenizer is of another kind.

    Args:
        tokenizer: whose text becomes bytes, with nothing put before them.
        state: its own description (`tokenizer.json`).
        special: bool, by id.
    """
    step = state["pre_tokenizer"] or {}
    steps = step.get("pretokenizers", [step])
    if not any(step.get("type") == "ByteLevel" and not step["add_prefix_space"] for step in steps):
        return None
    byte_of = _bytes_by_letter()
    pieces = [b""] * len(special)
    for piece, index in tokenizer.get_vocab(with_added_tokens=False).items():
        pieces[index] = bytes(byte_of[letter] for letter in piece if letter in byte_of)
    for index, added in tokenizer.get_added_tokens_decoder().items():
        pieces[index] = added.content.encode()
    return ByteLevel(pieces, special=special)


def _bytes_by_letter() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for.

    Printable letters of Latin-1 stand for themselves; the other bytes, in order, have the letters
    from U+0100 on. Source: GPT-2's encoder (Radford et al. 2019), which all others took over.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + at): byte for at, byte in enumerate(others)
    }


def _bytes_before(text: str, cuts: Sequence[int]) -> list[int]:
    """How many bytes stand before each of some characters, which are given in order."""
    if text.isascii():
        return list(cuts)
    sizes = [len(text[first:end].encode()) for first, end in zip([0, *cuts], cuts, strict=False)]
    return list(accumulate(sizes))
