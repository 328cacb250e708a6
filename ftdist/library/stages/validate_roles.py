"""Find conversations whose roles the model's chat template rejects, before samples are made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ftdist.data.messages import Message
from ftdist.errors import DataError
from ftdist.library.schema import Conversation, Row
from ftdist.library.stages.row_table import ReadSource
from ftdist.library.store.row_cache import read_row_cache

Rows = npt.NDArray[np.bool_]


def find_refused_rows(sources: Sequence[ReadSource], *, encoder: Any) -> dict[str, list[Rows]]:
    """Per source and shard, which rows the template rejects; they are counted as invalid.

    Each order of roles is rendered once, with a placeholder in each message. What the template
    rejects for its text is found when the samples are measured.

    Args:
        sources: as read.
        encoder: a `ChatEncoder`.
    """
    known: dict[tuple[str, ...], str] = {}

    def reason_for(row: Row) -> str:
        if not isinstance(row, Conversation):
            return ""
        roles = tuple(message["role"] for message in row.messages)
        if roles not in known:
            known[roles] = _refusal(roles, encoder=encoder)
        return known[roles]

    refused: dict[str, list[Rows]] = {}
    for source in sources:
        refused[source.name] = []
        for shard in source.shards:
            of_shard = []
            for row in read_row_cache(shard.folder / "rows.arrow"):
                reason = reason_for(row)
                of_shard.append(bool(reason))
                if reason:
                    source.stats.record_invalid_row(str(row.location), reason, _REMEDY)
            refused[source.name].append(np.array(of_shard, dtype=np.bool_))
    return refused


_REMEDY = "Change its roles to what the template takes, or the template."


def _refusal(roles: Sequence[str], *, encoder: Any) -> str:
    try:
        encoder.encode(
            [Message(role=role, content=f"word {at}") for at, role in enumerate(roles, start=1)]
        )
    except DataError as error:
        problem = error.problem.rstrip(".")
        return f"cannot be shown to the model: {problem[0].lower()}{problem[1:]}"
    return ""
