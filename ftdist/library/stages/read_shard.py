"""Reading and cleaning one piece of a source, in a process of its own, once for ever.

What comes out lies in the cache under a fingerprint of what went in: the piece's bytes, the
settings that matter here, the versions of the converters. A second curation, or one that goes on
after an interruption, finds it there.

    CACHE/read/KEY/  rows.arrow      documents, conversations and passages, cleaned and masked
                     exact.npy       uint64[n], what a row says, normalised
                     minhash.npy     uint16[n, k], what it resembles
                     documents.npy   bool[n], which rows are documents
                     blocks.npy      uint64, what the blocks of each document say
                     block_ends.npy  int64, where each document's end in it
                     section_*.npy   what its sections say and resemble (`copied`)
                     account.json    what was counted
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeGuard

import numpy as np

from ftdist.config.schema.curate import SensitivePolicy
from ftdist.data.messages import Message
from ftdist.io.atomic_dir import atomic_dir
from ftdist.io.hashing import FileStamp, file_stamp, fingerprint
from ftdist.library.cleaning.boilerplate import block_hashes
from ftdist.library.cleaning.pii import mask_pii
from ftdist.library.cleaning.text import clean_row
from ftdist.library.dedup.sections import SectionSignatures
from ftdist.library.dedup.signatures import signatures
from ftdist.library.readers import read_document
from ftdist.library.readers.chat_formats import read_conversations
from ftdist.library.schema import BadRow, BadRowError, Conversation, Document, Passage, Row
from ftdist.library.stats import CurationStats
from ftdist.library.store.row_cache import read_rows, write_rows

FORMAT = 5
"""Raised whenever the same bytes would be read in another way."""

_ACCOUNT = "account.json"
"""The last file that is written."""

CHAT_KINDS = ("json", "jsonl", "csv", "parquet", "yaml")

CONVERTERS = ("pypdfium2", "beautifulsoup4", "lxml", "mammoth", "markdown-it-py", "ftfy", "rensa")
"""Packages whose version may change what is read."""


@dataclass(frozen=True, kw_only=True)
class ReadSettings:
    """What decides how a piece is read."""

    columns: tuple[tuple[str, str], ...]
    assistant: tuple[str, ...]
    secrets: SensitivePolicy
    personal: SensitivePolicy
    keep: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SourceShard:
    """A file, or a span of a long one."""

    path: Path
    name: str
    """What errors call it: its source and its path below that."""

    kind: str
    digest: str
    """sha256 of the whole file."""

    stamp: FileStamp
    """Of the file when it was found: what is read of another is not kept."""

    span: tuple[int, int] | None
    """First byte and the one after the last; None: the whole file."""

    first_row: int
    settings: ReadSettings
    cache: Path

    @property
    def key(self) -> str:
        """Fingerprint of everything that decides what is read."""
        content = [self.name, self.kind, self.digest, self.span, self.first_row]
        return fingerprint(FORMAT, content, asdict(self.settings), converter_versions())

    @property
    def folder(self) -> Path:
        """Where what was read lies, once it is whole."""
        return self.cache / "read" / self.key

    @property
    def size(self) -> int:
        """Bytes of the file that it is made of."""
        first, end = self.span or (0, self.stamp[0])
        return end - first

    @property
    def is_read(self) -> bool:
        """Whether it was read before."""
        return (self.folder / _ACCOUNT).is_file()


def converter_versions() -> dict[str, str]:
    """Installed versions of what reads documents."""
    found = {}
    for package in CONVERTERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def read_shard(shard: SourceShard) -> CurationStats:
    """Read, clean and keep one piece, unless that has been done before; its account.

    What a file does to its reader is told of that file, as a bad row, and not kept.
    """
    if not shard.is_read:
        try:
            with atomic_dir(shard.folder) as tmp:
                _read_into(tmp, shard)
                if not _is_as_found(shard):
                    raise BadRowError("changes while it is read", "Curate once it is written.")
        except BadRowError as error:
            stats = CurationStats(rows=1)
            stats.record_invalid_row(shard.name, str(error), error.remedy)
            return stats
    return CurationStats.load(shard.folder / _ACCOUNT)


def _is_as_found(shard: SourceShard) -> bool:
    try:
        return file_stamp(shard.path) == shard.stamp
    except OSError:
        return False


def unreadable(shard: SourceShard) -> CurationStats:
    """The account of a piece whose reader died."""
    stats = CurationStats(rows=1)
    stats.record_invalid_row(
        shard.name, "ends the program that reads it", "leave it out, or save it anew."
    )
    return stats


def row_text(row: Row) -> str:
    """All that a row says, for what compares rows."""
    match row:
        case Conversation():
            return "\n".join(message["content"] for message in row.messages)
        case Passage():
            return row.text
        case Document():
            cells = (" ".join(" ".join(cells) for cells in block.rows) for block in row.blocks)
            return "\n".join(
                f"{block.text} {table}".strip()
                for block, table in zip(row.blocks, cells, strict=True)
            )
    raise AssertionError(row)


def _read_into(folder: Path, shard: SourceShard) -> None:
    stats = CurationStats()
    write_rows(folder / "rows.arrow", _usable(shard, stats))
    rows = list(map(_is_document, read_rows(folder / "rows.arrow")))
    found = signatures(map(row_text, read_rows(folder / "rows.arrow")))
    np.save(folder / "exact.npy", found.exact)
    np.save(folder / "minhash.npy", found.minhash)
    np.save(folder / "documents.npy", np.array(rows, dtype=np.bool_))
    SectionSignatures.from_rows(read_rows(folder / "rows.arrow")).save(folder)
    blocks = [block_hashes(row) for row in read_rows(folder / "rows.arrow") if _is_document(row)]
    np.save(folder / "blocks.npy", np.concatenate([np.empty(0, dtype=np.uint64), *blocks]))
    np.save(
        folder / "block_ends.npy", np.cumsum([len(hashes) for hashes in blocks], dtype=np.int64)
    )
    stats.save(folder / _ACCOUNT)


def _is_document(row: Row) -> TypeGuard[Document]:
    return isinstance(row, Document)


def _usable(shard: SourceShard, stats: CurationStats) -> Iterator[Row]:
    """Rows that can be learned from, cleaned and masked; the others are counted."""
    settings = shard.settings
    for row in _rows(shard):
        stats.rows += 1
        cleaned = row if isinstance(row, BadRow) else clean_row(row)
        if isinstance(cleaned, BadRow):
            stats.record_invalid_row(str(cleaned.place), cleaned.reason, cleaned.remedy)
            continue
        masked, found = _masked(cleaned, settings)
        for kind, count in sorted(found.items()):
            stats.record(f"private: {kind}", place=str(row.place), times=count)
        if isinstance(masked, Document):
            stats.notes += [f"{masked.place}: {note}" for note in masked.notes]
        yield masked


def _masked(row: Row, settings: ReadSettings) -> tuple[Row, Counter[str]]:
    """A row without what is private, and how often each kind of it was met."""
    found: Counter[str] = Counter()

    def masked(text: str) -> str:
        text, kinds = mask_pii(
            text, secrets=settings.secrets, personal=settings.personal, allowlist=settings.keep
        )
        found.update(kinds)
        return text

    match row:
        case Conversation():
            messages = (
                Message(role=said["role"], content=masked(said["content"])) for said in row.messages
            )
            return replace(row, messages=tuple(messages)), found
        case Passage():
            return replace(row, text=masked(row.text)), found
        case Document():
            blocks = (
                replace(
                    block,
                    text=masked(block.text),
                    rows=tuple(tuple(map(masked, cells)) for cells in block.rows),
                )
                for block in row.blocks
            )
            return replace(row, blocks=tuple(blocks), title=masked(row.title)), found
    raise AssertionError(row)


def _rows(shard: SourceShard) -> Iterator[Row]:
    """The rows of a piece.

    Raises:
        BadRowError: the file, or what stands in it, is too much for its reader.
    """
    try:
        yield from _read(shard)
    except BadRowError:
        raise
    except OSError as error:
        why = error.strerror or error
        raise BadRowError(f"cannot be read: {why}", "See to its rights and its disk.") from error
    except Exception as error:
        words = " ".join(str(error).split())[:_WORDS_OF_ERROR]
        raise BadRowError(
            f"breaks what reads it ({type(error).__name__}: {words})",
            "Leave it out, or save it anew.",
        ) from error


_WORDS_OF_ERROR = 100


def _read(shard: SourceShard) -> Iterator[Row]:
    if shard.kind in CHAT_KINDS:
        yield from read_conversations(
            shard.path,
            name=shard.name,
            kind=shard.kind,
            columns=dict(shard.settings.columns),
            assistant=shard.settings.assistant,
            span=shard.span,
            first_row=shard.first_row,
        )
    else:
        yield read_document(shard.path, name=shard.name, kind=shard.kind)
