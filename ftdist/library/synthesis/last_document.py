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
        if last is None or last[0] is not document:
            last = document, find(document)
        return last[1]

    return found
