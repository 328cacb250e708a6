"""Results for the document at hand, found once and asked for many times."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from ftdist.library.schema import Document

T = TypeVar("T")


def once_per_document(find: Callable[[Document], T]) -> Callable[[Document], T]:
    """A function that keeps its result for the last document that it was called with."""
    last: tuple[Document, T] | None = None

    @wraps(find)
    def found(document: Document) -> T:
        nonlocal last
        kept = last
        if kept is None or kept[0] is not document:
            kept = last = document, find(document)
        return kept[1]

    return found
