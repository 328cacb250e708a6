"""A curated library on disk: Arrow files of samples, and a manifest that vouches for them.

libraries/widget/  manifest.json   sources, counts, settings, and the sha256 of every file
                   data/           SOURCE-train.arrow, SOURCE-held_out.arrow
                   probes.jsonl    questions withheld from training
                   index.html      the card
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow

from ftdist.errors import DataError
from ftdist.library.schema import Conversation, Location, Passage, Sample

MANIFEST = "manifest.json"
SUFFIX = ".arrow"
FORMAT = 1
_SAMPLES_AT_ONCE = 1024

SCHEMA = pyarrow.schema(
    [
        (
            "messages",
            pyarrow.list_(
                pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
            ),
        ),
        ("text", pyarrow.string()),
        ("location", pyarrow.string()),
        ("section", pyarrow.string()),
        ("made_by", pyarrow.string()),
        ("doc_id", pyarrow.string()),
    ]
)
"""A row is a conversation where `messages` is not empty, else a passage."""


def write_samples(path: Path, samples: Iterable[Sample]) -> int:
    """Write samples to an Arrow file, a batch at a time; how many there were."""
    number = 0
    waiting: list[dict[str, Any]] = []
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, SCHEMA) as writer:
        for sample in samples:
            number += 1
            waiting.append(vars(sample))
            if len(waiting) >= _SAMPLES_AT_ONCE:
                writer.write_batch(pyarrow.RecordBatch.from_pylist(waiting, schema=SCHEMA))
                waiting = []
        if waiting:
            writer.write_batch(pyarrow.RecordBatch.from_pylist(waiting, schema=SCHEMA))
    return number


def samples_of_batches(path: Path) -> list[int]:
    """How many samples each record batch of such a file holds."""
    with pyarrow.memory_map(str(path)) as file, pyarrow.ipc.open_file(file) as reader:
        return [reader.get_batch(at).num_rows for at in range(reader.num_record_batches)]


def read_samples(path: Path, *, batches: range | None = None) -> Iterator[Sample]:
    """The samples of such a file, in order; the file is memory-mapped.

    Args:
        path: of the file.
        batches: the record batches to read; None: all.

    Raises:
        DataError: it is no such file.
    """
    try:
        with pyarrow.memory_map(str(path)) as file, pyarrow.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches) if batches is None else batches:
                for row in reader.get_batch(number).to_pylist():
                    yield Sample(**{**row, "messages": tuple(row["messages"])})
    except (OSError, pyarrow.ArrowException, TypeError, KeyError) as error:
        raise DataError(
            f"{path} is not a file of samples: {str(error).splitlines()[0]}.",
            remedy="curate the library again.",
        ) from error


def read_rows(path: Path, *, batches: range | None = None) -> Iterator[Conversation | Passage]:
    """The samples of such a file as rows, named by where they come from."""
    for sample in read_samples(path, batches=batches):
        location = Location(sample.location)
        if sample.messages:
            yield Conversation(sample.messages, location)
        else:
            yield Passage(sample.text, location)


@dataclass(frozen=True, kw_only=True)
class CuratedSource:
    """One source of a curated library."""

    name: str
    role: str
    """library, replay or out_of_scope."""

    weight: float
    """Of the library: how often each token is seen in a pass."""

    samples: int
    """Samples to train on."""

    train: Path
    held_out: Path
    digests: tuple[str, str]
    """sha256 of the two files."""


def is_curated(folder: Path) -> bool:
    """Whether a folder is a curated library; one that cannot be looked into is none."""
    try:
        return (folder / MANIFEST).is_file()
    except OSError:
        return False


@dataclass(frozen=True, kw_only=True)
class CuratedLibrary:
    """A curated library as its manifest tells it."""

    sources: tuple[CuratedSource, ...]
    """Those that have something to train on, the library's own first."""

    shares: dict[str, float]
    """Of replay and out_of_scope in all tokens of a pass."""


def open_curated(folder: Path) -> CuratedLibrary:
    """The sources of a curated library.

    Raises:
        DataError: the manifest is not one of this version, or names files that are not there.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError(f"it is of format {manifest['format']}")
        shares = {role: float(share) for role, share in manifest["shares"].items()}
        sources = tuple(
            CuratedSource(
                name=source["name"],
                role=source["role"],
                weight=float(source["weight"]),
                samples=int(source["files"]["train"]["samples"]),
                train=folder / source["files"]["train"]["name"],
                held_out=folder / source["files"]["held_out"]["name"],
                digests=(
                    source["files"]["train"]["sha256"],
                    source["files"]["held_out"]["sha256"],
                ),
            )
            for source in manifest["sources"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / MANIFEST} cannot be used: {error}.", remedy="curate the library again."
        ) from error
    for source in sources:
        for path in (source.train, source.held_out):
            if not path.is_file():
                raise DataError(f"{path} is not there.", remedy="curate the library again.")
    used = sorted(
        (source for source in sources if source.samples),
        key=lambda source: source.role != "library",
    )
    if not used or used[0].role != "library":
        raise DataError(
            f"The library {folder} has nothing to train on.", remedy="curate it from more sources."
        )
    return CuratedLibrary(sources=tuple(used), shares=shares)
