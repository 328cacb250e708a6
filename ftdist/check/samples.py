"""Samples to look at: their tokens as text, with what is learned and what is special."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ftdist.check.findings import Piece, ShownSample
from ftdist.check.reading import ReadRow
from ftdist.data.chat_encoder import Tokens

_PER_KIND = 2
"""Samples of each kind that are shown per source."""

_MAX_RUN = 400
"""A longer run of tokens that are all learned, or all not, is shortened in the middle."""

_MAX_MERGED = 8
"""Tokens whose bytes may be one character."""

_UNFINISHED = "\ufffd"


class SampleCheck:
    """Keeps a few samples of each source, of all kinds that occur.

    Args:
        tokenizer: of the model.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._kinds: dict[tuple[object, ...], list[tuple[str, Tokens]]] = {}

    def add(self, read: ReadRow) -> None:
        """Look at a row."""
        for tokens in read.samples[:1]:
            chosen = self._kinds.setdefault((read.source, *_kind(read)), [])
            if len(chosen) < _PER_KIND:
                chosen.append((str(read.row.location), tokens))

    def shown(self) -> list[ShownSample]:
        """The samples, first one of each kind."""
        numbered = [
            (number, str(kind[0]), location, tokens)
            for kind, chosen in self._kinds.items()
            for number, (location, tokens) in enumerate(chosen)
        ]
        return [
            ShownSample(
                source=source,
                location=location,
                tokens=len(tokens.input_ids),
                loss_tokens=tokens.loss_tokens,
                pieces=list(pieces(tokens, self._tokenizer)),
            )
            for _, source, location, tokens in sorted(numbered, key=lambda item: item[0])
        ]


def _kind(read: ReadRow) -> tuple[object, ...]:
    conversation = read.conversation
    if conversation is None:
        return ("text",)
    roles = [message["role"] for message in conversation.messages]
    return (
        bool(conversation.tools),
        roles.count("assistant") > 1,
        any("reasoning_content" in message for message in conversation.messages),
        any("tool_calls" in message for message in conversation.messages),
        roles[0] in ("system", "developer"),
    )


def pieces(tokens: Tokens, tokenizer: Any) -> Iterator[Piece]:
    """The text of each token, in order; tokens that are one character only together are joined."""
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    labelled = list(zip(tokens.input_ids, tokens.loss, strict=True))
    before: list[int] = []
    for learned, run in groupby(labelled, key=lambda item: item[1]):
        ids = [index for index, _ in run]
        left_out = len(ids) - _MAX_RUN
        half = _MAX_RUN // 2
        first, rest = (ids[:half], ids[-half:]) if left_out > 0 else (ids, [])
        for text, group, is_special in _run(first, before, tokenizer=tokenizer, special=special):
            yield text, group, learned, is_special
        if rest:
            yield f" [... {left_out:,} tokens ...] ", [], learned, False
            for text, group, is_special in _run(rest, [], tokenizer=tokenizer, special=special):
                yield text, group, learned, is_special
        before = ids[-1:]


def _run(
    ids: list[int], before: list[int], *, tokenizer: Any, special: set[int]
) -> Iterator[tuple[str, list[int], bool]]:
    """Text of tokens that follow those of `before`, their ids, and whether they are special."""
    group: list[int] = []
    for number, index in enumerate(ids):
        if index in special:
            yield tokenizer.convert_ids_to_tokens(index), [index], True
            before = [index]
            continue
        group.append(index)
        # With what stands before it: alone, a token loses the blank that it begins with.
        text = tokenizer.decode(before + group)[len(tokenizer.decode(before)) :]
        is_last = number + 1 == len(ids) or ids[number + 1] in special
        if text.endswith(_UNFINISHED) and len(group) < _MAX_MERGED and not is_last:
            continue
        yield text, group, False
        before, group = group, []
