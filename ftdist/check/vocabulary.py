"""Whether the model has an embedding for every token, and room for every position."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ftdist.check.findings import Finding
from ftdist.check.reading import ReadRow
from ftdist.config.schema.types import AUTO, Auto
from ftdist.data.special_tokens import SpecialTokens
from ftdist.data.thoughts import begin_thought
from ftdist.library.schema import Conversation, Passage, Row
from ftdist.plan.surplus_tokens import beyond_embedding

_NAMED = 3
"""Tokens that a message names at most."""


class VocabularyCheck:
    """Looks at ids that are used, and at special tokens in what users wrote.

    Args:
        tokenizer: of the model.
        rows: of the model's embedding; None: unknown.
    """

    def __init__(self, tokenizer: Any, *, rows: int | None) -> None:
        self._tokenizer, self._rows = tokenizer, rows
        self._pattern = SpecialTokens(tokenizer).pattern
        self._largest = -1
        self._typed: Counter[str] = Counter()
        self._places: dict[str, str] = {}

    def add(self, read: ReadRow) -> None:
        """Look at a row."""
        for tokens in read.samples:
            self._largest = max(self._largest, max(tokens.input_ids, default=-1))
        for text in _texts(read.row):
            for match in self._pattern.finditer(text):
                self._typed[match[0]] += 1
                self._places.setdefault(match[0], str(read.row.location))

    def findings(self) -> Iterator[Finding]:
        """What was found."""
        yield self._of_text()
        if self._rows is not None:
            yield self._of_embedding(self._rows)
        yield self._of_padding()

    def _of_text(self) -> Finding:
        check = "special tokens in text"
        if not self._typed:
            return Finding(check=check, status="ok", message="No text holds a special token.")
        named = [
            f"{name} {_times(count)} (the first: {self._places[name]})"
            for name, count in self._typed.most_common(_NAMED)
        ]
        more = len(self._typed) - len(named)
        return Finding(
            check=check,
            status="ok",
            message=f"Messages hold {'; '.join(named)}{f'; and {more} others' if more else ''}. "
            "ftdist keeps them as text: they become no special tokens.",
            other_trainers="They become special tokens, which end a turn or begin another one in "
            "the middle of a message.",
        )

    def _of_embedding(self, rows: int) -> Finding:
        tokenizer = self._tokenizer
        needed = max(tokenizer.get_vocab().values()) + 1
        check = "vocabulary"
        if self._largest >= rows:
            token = tokenizer.convert_ids_to_tokens(self._largest)
            error = beyond_embedding(token, self._largest, rows=rows, needed=needed)
            return Finding(check=check, status="failed", message=error.problem, remedy=error.remedy)
        surplus = sorted(i for i in tokenizer.get_vocab().values() if i >= rows)
        if surplus:
            named = ", ".join(map(str, tokenizer.convert_ids_to_tokens(surplus[:_NAMED])))
            return Finding(
                check=check,
                status="warning",
                message=f"{len(surplus)} tokens of the tokenizer ({named}) are beyond the model's "
                f"embedding of {rows:,} rows; none of them is in the rows that were read.",
                remedy="take the tokenizer that belongs to the model, or enlarge the model with "
                f"transformers, `model.resize_token_embeddings({needed})`.",
            )
        return Finding(
            check=check,
            status="ok",
            message=f"The embedding has {rows:,} rows for {needed:,} tokens of the tokenizer.",
        )

    def _of_padding(self) -> Finding:
        tokenizer, check = self._tokenizer, "padding token"
        if tokenizer.pad_token is None:
            return Finding(
                check=check,
                status="ok",
                message="The tokenizer has no padding token, and ftdist needs none.",
                other_trainers="Often the end-of-sequence token is taken for padding and then "
                "masked where it ends an answer, so that the model never learns to stop.",
            )
        if tokenizer.pad_token_id == tokenizer.eos_token_id:
            return Finding(
                check=check,
                status="ok",
                message=f"Padding and end of sequence are both {tokenizer.pad_token}; ftdist "
                "learns it where it ends an answer, and nowhere else.",
                other_trainers="Those that mask the padding token everywhere mask the end of "
                "answers too, and the model never learns to stop.",
            )
        return Finding(
            check=check,
            status="ok",
            message=f"The padding token, {tokenizer.pad_token}, is not the one that ends a "
            "sequence.",
        )


def context_finding(
    tokenizer: Any, *, positions: int | None, sequence_length: int | Auto
) -> Finding:
    """Whether a packed sequence fits the model's positions and the tokenizer's own limit.

    Args:
        tokenizer: of the model.
        positions: that the model has; None: without limit.
        sequence_length: `batch.sequence_length`.
    """
    check, limit = "context length", tokenizer.model_max_length
    if sequence_length != AUTO and positions is not None and sequence_length > positions:
        return Finding(
            check=check,
            status="failed",
            message=f"batch.sequence_length={sequence_length} is more than the model's {positions} "
            "positions.",
            remedy=f"set batch.sequence_length to at most {positions}.",
        )
    if sequence_length != AUTO and limit is not None and sequence_length > limit:
        return Finding(
            check=check,
            status="warning",
            message=f"batch.sequence_length={sequence_length} is more than the tokenizer's "
            f"model_max_length of {limit}.",
            remedy="make sure that the model was trained on sequences that long.",
            other_trainers=f"They may cut samples off after {limit} tokens.",
        )
    known = "no limit" if positions is None else f"{positions:,} positions"
    return Finding(
        check=check,
        status="ok",
        message=f"The model has {known}; batch.sequence_length={sequence_length}.",
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _texts(row: Row) -> Iterator[str]:
    """What people, models and tools wrote; the tags of a thought are the assistant's own."""
    match row:
        case Conversation():
            yield row.tools
            for message in row.messages:
                content = message["content"]
                begun = begin_thought(content) if message["role"] == "assistant" else None
                yield from (content,) if begun is None else (begun.thought, begun.rest)
                yield message.get("reasoning_content", "")
                yield message.get("name", "")
                for call in message.get("tool_calls", ()):
                    yield call["function"]["name"]
                    yield call["function"]["arguments"]
        case Passage():
            yield row.text
