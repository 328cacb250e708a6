"""Divide the files of a source into portions that worker processes read."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ftdist.io.safe_open import pinned
from ftdist.library.readers.filetypes.detect import UnsupportedFile
from ftdist.library.readers.records.jsonl_rows import Span, split_jsonl
from ftdist.library.readers.records.table_rows import split_table
from ftdist.library.readers.rows import chat_formats
from ftdist.library.readers.rows.settings import BY_FORM, RowSettings
from ftdist.library.schema import BadRow, Location, Row
from ftdist.library.store import samples
from ftdist.prepare import chunking
from ftdist.prepare.data_files import SAMPLES, TEXT, SourceFiles

PORTION_BYTES = 1 << 20
"""Bytes of source files that one task reads."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file, or a part of one."""

    path: Path
    name: str
    kind: str | UnsupportedFile
    span: Span | None = None
    """Bytes of a JSONL file."""

    first_row: int = 1
    settings: RowSettings = BY_FORM
    groups: range | None = None
    """Row groups of a Parquet file, or record batches of an Arrow file."""

    home: Path | None = None
    """Real folder that the file must be in; None: anywhere."""

    @property
    def rows(self) -> Iterator[Row]:
        """Its rows."""
        if isinstance(self.kind, UnsupportedFile):
            yield BadRow(self.kind.reason, Location(self.name), self.kind.remedy)
            return
        with ExitStack() as stack:
            try:
                path = stack.enter_context(pinned(self.path, home=self.home))
            except OSError as error:  # it was another file when it was found
                reason = f"cannot be read: {error.strerror}"
                yield BadRow(reason, Location(self.name), "Restore it, or remove it.")
                return
            yield from self._rows_of(path, self.kind)

    def _rows_of(self, path: Path, kind: str) -> Iterator[Row]:
        if kind == SAMPLES:
            return samples.read_rows(path, groups=self.groups)
        if kind == TEXT:
            return iter([chunking.read_document(path, name=self.name)])
        return chat_formats.read_conversations(
            path,
            name=self.name,
            kind=kind,
            settings=self.settings,
            span=self.span,
            first_row=self.first_row,
            groups=self.groups,
        )


def parts_of(files: SourceFiles, *, source: str, portion_bytes: int) -> list[tuple[int, Part]]:
    """The parts of all files in order, each with its size in bytes."""
    parts: list[tuple[int, Part]] = []
    for file in files.files:
        if file == files.held_out:
            continue
        part = Part(
            path=file,
            name=f"{files.label or source}: {files.name(file)}",
            kind=files.kind(file),
            settings=files.rows,
            home=files.home,
        )
        if part.kind == SAMPLES:
            groups = range(len(samples.samples_of_groups(file)))
            parts += [(portion_bytes, replace(part, groups=range(n, n + 1))) for n in groups]
            continue
        size = file.stat().st_size
        split = _split(part, size=size, part_bytes=portion_bytes)
        parts += [(size // len(split), each) for each in split]
    return parts


def _split(part: Part, *, size: int, part_bytes: int) -> list[Part]:
    """A file in parts of about so many bytes."""
    is_threaded = "thread" in part.settings.columns
    if size <= part_bytes or is_threaded or not isinstance(part.kind, str):
        return [part]
    match part.kind:
        case "jsonl":
            spans = split_jsonl(part.path, span_bytes=part_bytes)
            return [replace(part, span=span, first_row=row) for span, row in spans]
        case "parquet" | "arrow":
            groups = split_table(part.path, kind=part.kind, group_bytes=part_bytes)
            return [replace(part, groups=each) for each in groups]
    return [part]


def portions_of(files: SourceFiles, *, source: str) -> list[tuple[Part, ...]]:
    """The parts of a source, with small parts grouped into one portion."""
    portions: list[list[Part]] = []
    room = 0
    for size, part in parts_of(files, source=source, portion_bytes=PORTION_BYTES):
        if size > room or not portions:
            portions.append([])
            room = PORTION_BYTES
        portions[-1].append(part)
        room -= size
    return [tuple(portion) for portion in portions]
