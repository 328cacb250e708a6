"""Conversations whose roles the model's chat template refuses: known before they are taught."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ftdist.data.messages import Message
from ftdist.errors import DataError
from ftdist.library.schema import Conversation, Row
from ftdist.library.stages.select import ReadSource
from ftdist.library.store.row_cache import read_rows

Rows = npt.NDArray[np.bool_]


def refused_rows(sources: Sequence[ReadSource], *, encoder: Any) -> dict[str, list[Rows]]:
    """Of each source's pieces which rows are refused; those are counted as bad.

    The template is asked once for each order of roles, with a word or two in each message; what it
    refuses for its text is met when the library is measured.

    Args:
        sources: as read.
        encoder: a `ChatEncoder`.
    """
    known: dict[tuple[str, ...], str] = {}

    def why(row: Row) -> str:
        if not isinstance(row, Conversation):
            return ""
        roles = tuple(message["role"] for message in row.messages)
        if roles not in known:
            known[roles] = _refusal(roles, encoder=encoder)
        return known[roles]

    refused: dict[str, list[Rows]] = {}
    for source in sources:
        refused[source.name] = []
        for piece in source.pieces:
            of_piece = []
            for row in read_rows(piece.folder / "rows.arrow"):
                reason = why(row)
                of_piece.append(bool(reason))
                if reason:
                    source.account.bad_row(str(row.place), reason, _REMEDY)
            refused[source.name].append(np.array(of_piece, dtype=np.bool_))
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
