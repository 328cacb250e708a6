"""Names that occur all over a library, and so are no keys of its answers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from ftdist.library.retention.product_names import find_products
from ftdist.library.schema import Conversation, Document, Row
from ftdist.library.stages.row_table import LIBRARY, ReadSource
from ftdist.library.store.row_cache import read_row_cache
from ftdist.library.synthesis.answer_keys import common_names
from ftdist.library.synthesis.sections import joined, sections

_MAX_ROWS = 2_000
"""Rows that are searched."""

_MIN_SHARE = 0.2


def frequent_names(read: Sequence[ReadSource], *, products: Sequence[str]) -> str:
    """Names that give nothing away, as one text: of makers and products.

    The products, and what `common_names` finds in the conversations, or in a fifth of the
    documents.

    Args:
        read: the sources.
        products: `retention.product_names`.
    """
    rows = list(islice(_rows(read), _MAX_ROWS))
    chats = [row for row in rows if isinstance(row, Conversation)]
    texts = [[message["content"] for message in chat.messages] for chat in chats]
    found = find_products([each[:1] for each in texts], min_share=0.05)
    names = {*products, *found, common_names(" ".join(found), chain.from_iterable(texts))}
    documents = [row for row in rows if isinstance(row, Document)]
    counts = Counter(name for row in documents for name in set(document_names(row).split()))
    names |= {name for name, times in counts.items() if times >= _MIN_SHARE * len(documents)}
    return " ".join(sorted(names))


def document_names(document: Document) -> str:
    """The names that occur all over one document."""
    texts = (joined(section.blocks) for section in sections(document))
    return common_names(document.title, texts)


def _rows(read: Sequence[ReadSource]) -> Iterator[Row]:
    for source in read:
        if source.role == LIBRARY:
            for shard in source.shards:
                yield from read_row_cache(shard.folder / "rows.arrow")
