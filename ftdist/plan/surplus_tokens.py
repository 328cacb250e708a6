"""Tokens that a tokenizer has and its model does not, read from tokenizer.json, without torch."""

import json
from collections.abc import Iterable
from pathlib import Path

from ftdist.errors import DataError


def beyond_embedding(token: str, number: int, *, rows: int, needed: int) -> DataError:
    """A token is used for which the model has no embedding.

    Args:
        token: as the tokenizer writes it.
        number: its id.
        rows: of the model's embedding.
        needed: rows that the tokenizer needs.
    """
    return DataError(
        f"The token {token!r} has id {number}, but the model's embedding has {rows} rows, for ids "
        f"from 0 to {rows - 1}.",
        remedy="take the tokenizer that belongs to the model; or enlarge the model with "
        f"transformers, `model.resize_token_embeddings({needed})`, and save both together.",
    )


def check_texts(texts: Iterable[str], *, model: Path, rows: int) -> None:
    """Refuse texts that hold an added token for which the model has no embedding.

    Args:
        texts: such as questions of probes.
        model: a model folder with its tokenizer.
        rows: of the model's embedding.

    Raises:
        DataError: one does.
    """
    try:
        added = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
        surplus = {str(token["content"]): int(token["id"]) for token in added}
    except (OSError, ValueError, LookupError, TypeError):
        return  # other checks report it
    needed = max(surplus.values(), default=0) + 1
    surplus = {token: number for token, number in surplus.items() if number >= rows}
    for text in texts if surplus else ():
        for token, number in surplus.items():
            if token in text:
                raise beyond_embedding(token, number, rows=rows, needed=needed)
