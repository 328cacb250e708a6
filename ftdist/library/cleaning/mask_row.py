"""Mask secrets and personal data in every text of a row, its notes included."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ftdist.config.schema.curate import PiiPolicy, SensitivePolicy
from ftdist.library.chat_text import map_texts
from ftdist.library.cleaning.pii import mask_pii
from ftdist.library.schema import Conversation, Document, Note, Passage

GoodRow = Conversation | Passage | Document

_OF_PEOPLE = frozenset({"mail", "mbox", "subtitles", "xlsx"})
"""Kinds of documents that hold what people said, or lists of them."""

_CONTEXT = 40
"""Characters before a mask in an example."""


def publishes(path: Path, kind: str) -> bool:
    """Whether a document is for its readers, unlike mail, subtitles and spreadsheets."""
    return kind not in _OF_PEOPLE and path.suffix.lower() not in (".ods", ".fods")


def mask_row(
    row: GoodRow,
    *,
    secrets: SensitivePolicy,
    personal: PiiPolicy,
    allowlist: Sequence[str],
    is_published: bool = False,
) -> GoodRow:
    """A row with its secrets and personal data masked, and a note for each kind (see `mask_pii`).

    The excerpt of a note is the text around the first mask.
    """
    counts: Counter[str] = Counter()
    published: Counter[str] = Counter()
    excerpts: dict[str, str] = {}

    def mask(text: str, *, after: str = "") -> str:
        masked, kinds, left = mask_pii(
            f"{after}{text}",
            secrets=secrets,
            personal=personal,
            allowlist=allowlist,
            is_published=is_published,
        )
        if not masked.startswith(after):
            return mask(text)
        counts.update(kinds)
        published.update(left)
        for kind in kinds:
            excerpts.setdefault(kind, _around(f"<{kind}>", masked))
        return masked.removeprefix(after)

    masked = _mapped(row, mask, in_json=lambda key, text: mask(text, after=f"{key}: "))
    private = [
        Note(rule=f"private: {kind}", excerpt=excerpts[kind], count=count)
        for kind, count in sorted(counts.items())
    ]
    private += [
        Note(rule=f"left in documents: {kind}", excerpt="", count=count)
        for kind, count in sorted(published.items())
    ]
    notes = [replace(note, excerpt=mask(note.excerpt)) for note in row.notes]
    return replace(masked, notes=(*private, *notes))


def _mapped(
    row: GoodRow, mask: Callable[[str], str], *, in_json: Callable[[str, str], str]
) -> GoodRow:
    match row:
        case Conversation():
            return map_texts(row, mask, in_json=in_json)
        case Passage():
            return replace(row, text=mask(row.text))
        case Document():
            blocks = (
                replace(
                    block,
                    text=mask(block.text),
                    rows=tuple(tuple(map(mask, cells)) for cells in block.rows),
                )
                for block in row.blocks
            )
            return replace(row, blocks=tuple(blocks), title=mask(row.title))


def _around(mask: str, text: str) -> str:
    """The line of a text that contains a mask first, from shortly before it."""
    line = next(line for line in text.split("\n") if mask in line)
    return line[max(0, line.find(mask) - _CONTEXT) :]
