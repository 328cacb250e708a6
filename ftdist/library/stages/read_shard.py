"""Read and clean one shard of a source in a worker process, and cache the result.

The cache key is a fingerprint of the input: the shard's bytes, the settings that affect reading,
and the versions of the converters. A second or a resumed curation reuses the cached shard.

    CACHE/read/KEY/  rows.arrow      documents, conversations and passages, cleaned and masked
                     exact.npy       uint64[n], hashes of the rows' normalised texts
                     minhash.npy     uint16[n, k], MinHash signatures of the rows
                     critical.npy    uint64[n], hashes of the words that near duplicates share
                     documents.npy   bool[n], which rows are documents
                     blocks.npy      uint64, hashes of the blocks of all documents
                     block_ends.npy  int64, the end of each document in blocks.npy
                     section_*.npy   signatures of the documents' sections
                     account.json    counts of the rows and of each rule
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeGuard

import numpy as np

from ftdist.config.schema.curate import PiiPolicy, SensitivePolicy
from ftdist.io.atomic_dir import atomic_dir
from ftdist.io.hashing import FileStamp, file_stamp, fingerprint
from ftdist.io.resource_limits import OutOfTimeError, limited
from ftdist.io.safe_open import pinned
from ftdist.library.chat_text import conversation_key, conversation_text
from ftdist.library.cleaning.boilerplate import block_hashes
from ftdist.library.cleaning.mask_row import mask_row, publishes
from ftdist.library.cleaning.text import clean_row
from ftdist.library.dedup.critical_words import critical_row_hash
from ftdist.library.dedup.sections import SectionSignatures
from ftdist.library.dedup.signatures import signatures
from ftdist.library.readers import read_document
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import BadRow, BadRowError, Conversation, Document, Passage, Row
from ftdist.library.stats import CurationStats
from ftdist.library.store.row_cache import read_row_cache, write_rows

FORMAT = 16
"""Increase it whenever the same bytes are read differently."""

_ACCOUNT = "account.json"
"""Written last: it marks a complete shard."""

_MAX_ERROR_CHARACTERS = 100

CHAT_KINDS = ("json", "jsonl", "csv", "parquet", "arrow", "yaml")

CONVERTERS = (
    "pypdfium2",
    "beautifulsoup4",
    "lxml",
    "mammoth",
    "markdown-it-py",
    "mdit-py-plugins",
    "docutils",
    "openpyxl",
    "ftfy",
    "rensa",
)
"""Packages whose versions affect the rows."""


@dataclass(frozen=True, kw_only=True)
class ReadSettings:
    """The settings that affect reading."""

    rows: RowSettings
    secrets: SensitivePolicy
    personal: PiiPolicy
    keep: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SourceShard:
    """A file, or a span of a long file."""

    path: Path
    name: str
    """Its name in messages: its source and its path in the source."""

    kind: str
    digest: str
    """sha256 of the whole file."""

    stamp: FileStamp
    """The file's stamp at discovery; if it changes, the shard is not cached."""

    span: tuple[int, int] | None
    """Start and end offset in bytes; None: the whole file."""

    first_row: int
    groups: range | None
    """Row groups or record batches of a Parquet or Arrow file; None: all."""

    size: int
    """Its size in bytes, about."""

    settings: ReadSettings
    cache: Path
    home: Path | None = None
    """As of a `FoundFile`."""

    memory_gib: float = 8.0
    cpu_s: float = 1800.0
    """What reading and cleaning it may take."""

    @property
    def key(self) -> str:
        """Fingerprint of everything that affects the result."""
        groups = self.groups and [self.groups.start, self.groups.stop]
        content = [self.name, self.kind, self.digest, self.span, self.first_row, groups]
        return fingerprint(FORMAT, content, asdict(self.settings), converter_versions())

    @property
    def folder(self) -> Path:
        """The folder of the cached shard."""
        return self.cache / "read" / self.key

    @property
    def is_read(self) -> bool:
        """Whether the cache holds it."""
        return (self.folder / _ACCOUNT).is_file()


def converter_versions() -> dict[str, str]:
    """Installed versions of the converters."""
    versions = {}
    for package in CONVERTERS:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return versions


def read_shard(shard: SourceShard) -> CurationStats:
    """Read, clean and cache a shard, or reuse the cached one; the counts of its rows.

    If the file cannot be read, that is recorded as an invalid row and not cached.
    """
    if not shard.is_read:
        try:
            with atomic_dir(shard.folder) as tmp:
                _read_within_limits(tmp, shard)
                if not _is_unchanged(shard):
                    raise BadRowError(
                        "changes while it is read", "Curate again once the file is complete."
                    )
        except BadRowError as error:
            stats = CurationStats(rows=1)
            stats.record_invalid_row(shard.name, str(error), error.remedy)
            return stats
    return CurationStats.load(shard.folder / _ACCOUNT)


def _read_within_limits(folder: Path, shard: SourceShard) -> None:
    """Read a shard within its memory and time.

    Raises:
        BadRowError: they do not suffice, or it cannot be read.
    """
    try:
        with limited(memory_gib=shard.memory_gib, cpu_s=shard.cpu_s):
            _read_into(folder, shard)
    except (MemoryError, OutOfTimeError) as error:
        is_memory = isinstance(error, MemoryError)
        limit = f"{shard.memory_gib:g} GiB of memory" if is_memory else f"{shard.cpu_s:g} s"
        key = "work.reader_memory_gib" if is_memory else "work.reader_cpu_s"
        raise BadRowError(
            f"takes more than {limit} to read", f"Split it, or raise {key} if you trust it."
        ) from error


def _is_unchanged(shard: SourceShard) -> bool:
    try:
        return file_stamp(shard.path) == shard.stamp
    except OSError:
        return False


def unreadable(shard: SourceShard) -> CurationStats:
    """The counts of a shard whose worker process died."""
    stats = CurationStats(rows=1)
    reason = "ends the process that reads it: it is damaged, or made to take all memory or time"
    stats.record_invalid_row(shard.name, reason, "remove the file, or save it again.")
    return stats


def row_text(row: Row) -> str:
    """The whole text of a row."""
    match row:
        case Conversation():
            return conversation_text(row.messages)
        case Passage():
            return row.text
        case Document():
            cells = (" ".join(" ".join(cells) for cells in block.rows) for block in row.blocks)
            return "\n".join(
                f"{block.text} {table}".strip()
                for block, table in zip(row.blocks, cells, strict=True)
            )
    raise AssertionError(row)


def dedup_text(row: Row) -> str:
    """The text of a row by which duplicates are found: tools and weights count too."""
    key = conversation_key(row) if isinstance(row, Conversation) else ""
    return f"{row_text(row)}\n{key}" if key else row_text(row)


def _read_into(folder: Path, shard: SourceShard) -> None:
    stats = CurationStats()
    write_rows(folder / "rows.arrow", _usable(shard, stats))
    is_document = list(map(_is_document, read_row_cache(folder / "rows.arrow")))
    row_signatures = signatures(map(dedup_text, read_row_cache(folder / "rows.arrow")))
    np.save(folder / "exact.npy", row_signatures.exact)
    np.save(folder / "minhash.npy", row_signatures.minhash)
    critical = [
        critical_row_hash(row, text=row_text(row)) for row in read_row_cache(folder / "rows.arrow")
    ]
    np.save(folder / "critical.npy", np.array(critical, dtype=np.uint64))
    np.save(folder / "documents.npy", np.array(is_document, dtype=np.bool_))
    SectionSignatures.from_rows(read_row_cache(folder / "rows.arrow")).save(folder)
    blocks = [
        block_hashes(row) for row in read_row_cache(folder / "rows.arrow") if _is_document(row)
    ]
    np.save(folder / "blocks.npy", np.concatenate([np.empty(0, dtype=np.uint64), *blocks]))
    np.save(
        folder / "block_ends.npy", np.cumsum([len(hashes) for hashes in blocks], dtype=np.int64)
    )
    stats.save(folder / _ACCOUNT)


def _is_document(row: Row) -> TypeGuard[Document]:
    return isinstance(row, Document)


def _usable(shard: SourceShard, stats: CurationStats) -> Iterator[Row]:
    """Valid rows, cleaned and masked; invalid rows are counted."""
    settings = shard.settings
    for row in _rows(shard):
        stats.rows += 1
        cleaned = row if isinstance(row, BadRow) else clean_row(row)
        if isinstance(cleaned, BadRow):
            stats.record_invalid_row(str(cleaned.location), cleaned.reason, cleaned.remedy)
            continue
        masked = mask_row(
            cleaned,
            secrets=settings.secrets,
            personal=settings.personal,
            allowlist=settings.keep,
            is_published=isinstance(cleaned, Document) and publishes(shard.path, shard.kind),
        )
        for note in masked.notes:
            stats.record(
                note.rule, location=str(row.location), excerpt=note.excerpt, times=note.count
            )
        yield replace(masked, notes=())


def _rows(shard: SourceShard) -> Iterator[Row]:
    """The rows of a shard.

    Raises:
        BadRowError: the file cannot be opened, or its content crashes its reader.
    """
    try:
        yield from _read(shard)
    except (BadRowError, MemoryError):
        raise
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        raise BadRowError(reason, "Check its permissions and its disk.") from error
    except Exception as error:
        message = " ".join(str(error).split())[:_MAX_ERROR_CHARACTERS]
        reason = f"crashes its reader ({type(error).__name__}: {message})"
        raise BadRowError(reason, "Remove the file, or save it again.") from error


def _read(shard: SourceShard) -> Iterator[Row]:
    rows = shard.settings.rows
    with pinned(shard.path, home=shard.home) as path:
        if shard.kind in CHAT_KINDS:
            yield from read_conversations(
                path,
                name=shard.name,
                kind=shard.kind,
                settings=rows,
                span=shard.span,
                first_row=shard.first_row,
                groups=shard.groups,
            )
        else:
            yield read_document(path, name=shard.name, kind=shard.kind, encoding=rows.encoding)
