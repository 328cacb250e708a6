"""A curated library on disk: Parquet files of samples, and a manifest that vouches for them.

libraries/widget/  manifest.json   sources, counts, settings, and the sha256 of every file
                   data/           SOURCE-train.parquet, SOURCE-held_out.parquet, probes.parquet
                   kl_only/        samples that only KL to the base model may be trained on
                   probes.jsonl    questions withheld from training
                   README.md       the card for `datasets` and the Hub
                   index.html      the card for people
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ftdist.errors import DataError

MANIFEST = "manifest.json"
PROBES_FILE = "probes.jsonl"
PROBES_TABLE = "data/probes.parquet"
"""The same probes for `datasets`, which reads all files of a dataset in one format."""

KL_ONLY = "kl_only"
"""Folder of samples that cross-entropy must not be trained on: no split of the dataset has them."""

FORMAT = 2

LIBRARY = "library"
"""Role of a library's own sources, and name of the first where the library is no curated one."""

RETENTION = ("replay", "out_of_scope")
"""Roles of the sources that a curation adds so that the model does not forget."""


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
    digests: dict[Path, str]
    """The sha256 of both files, as the manifest has it."""

    kl_only: bool = False
    """Whether its samples are for training by KL to the base model alone."""

    def is_left_out(self, kl_to_base: Collection[str]) -> bool:
        """Whether a run leaves it out, whose `library.kl_to_base` is this."""
        return self.kl_only and self.name not in kl_to_base and self.role not in kl_to_base


def is_curated(folder: Path) -> bool:
    """Whether a folder is a curated library; one that cannot be looked into is none."""
    try:
        return (folder / MANIFEST).is_file()
    except OSError:
        return False


def is_held_out(file: Path) -> bool:
    """Whether a file has held-out rows of a curated library."""
    folder = file.absolute().parent
    is_named_so = folder.name == "data" and file.name.endswith("-held_out.parquet")
    return is_named_so and is_curated(folder.parent)


@dataclass(frozen=True, kw_only=True)
class CuratedLibrary:
    """A curated library as its manifest tells it."""

    sources: tuple[CuratedSource, ...]
    """Those that have something to train on, the library's own first."""

    shares: dict[str, float]
    """Of replay and out_of_scope in all tokens of a pass."""


_UNUSABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def check_unchanged(path: Path, *, digest: str, expected: str) -> None:
    """Refuse a file of a curated library that is not what its manifest vouches for.

    Args:
        path: of the file.
        digest: sha256 of its content.
        expected: that of the manifest.

    Raises:
        DataError: they differ.
    """
    if digest != expected:
        raise DataError(
            f"{path} was changed after it was curated.", remedy="curate the library again."
        )


def _inside(folder: Path, name: str) -> Path:
    """A file of a library; a manifest from elsewhere may name any."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"it names {name!r}, which is outside of the library")
    return path


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
                train=_inside(folder, source["files"]["train"]["name"]),
                held_out=_inside(folder, source["files"]["held_out"]["name"]),
                digests={
                    _inside(folder, file["name"]): str(file["sha256"])
                    for file in source["files"].values()
                    if "sha256" in file
                },
                kl_only=bool(source.get("kl_only")),
            )
            for source in manifest["sources"]
        )
    except (*_UNUSABLE, RecursionError) as error:
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
