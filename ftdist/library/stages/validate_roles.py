"""Find conversations whose roles the model's chat template rejects, before samples are made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ftdist.data.messages import Chat, Message
from ftdist.data.thoughts import END
from ftdist.errors import DataError
from ftdist.library.schema import Conversation, Row
from ftdist.library.stages.row_table import ReadSource
from ftdist.library.store.row_cache import read_row_cache

Rows = npt.NDArray[np.bool_]


def find_refused_rows(sources: Sequence[ReadSource], *, encoder: Any) -> dict[str, list[Rows]]:
    """Per source and shard, which rows the template rejects; they are counted as invalid.

    Each order of roles is encoded once, with a placeholder in each message; the rows themselves
    where that is refused, or where they hold thoughts, tools or weights, on which templates
    depend. What else is rejected for its text is found when the samples are measured.

    Args:
        sources: as read.
        encoder: a `ChatEncoder`.
    """
    known: dict[tuple[str, ...], DataError | None] = {}

    def refusal_of(row: Row) -> DataError | None:
        if not isinstance(row, Conversation):
            return None
        if row.tools or any(len(message) > 2 for message in row.messages):
            return _refusal(Chat(row.messages, row.tools), encoder=encoder)
        roles = tuple(message["role"] for message in row.messages)
        if roles not in known:
            known[roles] = _refusal(Chat(_placeholders(roles)), encoder=encoder)
        has_thought = any(END in message["content"] for message in row.messages)
        if known[roles] is None and not has_thought:
            return None
        return _refusal(Chat(row.messages, row.tools), encoder=encoder)

    refused: dict[str, list[Rows]] = {}
    for source in sources:
        refused[source.name] = []
        for shard in source.shards:
            of_shard = []
            for row in read_row_cache(shard.folder / "rows.arrow"):
                refusal = refusal_of(row)
                of_shard.append(refusal is not None)
                if refusal is not None:
                    reason = f"cannot be shown to the model: {_clause(refusal.problem)}"
                    remedy = refusal.remedy[0].upper() + refusal.remedy[1:]
                    source.stats.record_invalid_row(str(row.location), reason, remedy)
            refused[source.name].append(np.array(of_shard, dtype=np.bool_))
    return refused


def _placeholders(roles: Sequence[str]) -> list[Message]:
    return [Message(role=role, content=f"word {at}") for at, role in enumerate(roles, start=1)]


def _refusal(chat: Chat, *, encoder: Any) -> DataError | None:
    """Why the template rejects a conversation; what is wrong with the model itself is raised."""
    [tokens] = encoder.encode_many([chat])
    return tokens if isinstance(tokens, DataError) else None


def _clause(problem: str) -> str:
    return problem[0].lower() + problem[1:].rstrip(".")
