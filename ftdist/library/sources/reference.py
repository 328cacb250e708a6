"""A data path with what to take of it, as a config names it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from ftdist.config.schema.types import HUB_NAME_PATTERN
from ftdist.errors import ConfigError
from ftdist.io.compression import data_suffix

SCHEME = "hf://"
_DATASETS = "hf://datasets/"
_HUB_NAME = re.compile(HUB_NAME_PATTERN)
_HUB_PATH = re.compile(
    rf"{_DATASETS}(?P<repo>{HUB_NAME_PATTERN})"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/+(?P<inside>.*?))?/*"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DATA_SUFFIXES = (
    *(".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".yaml"),
    *(".txt", ".md", ".html", ".htm", ".pdf", ".docx", ".pptx", ".xlsx", ".epub", ".yml", ".zip"),
)
"""What a path ends in that is the path of a file, not the name of a dataset."""


@dataclass(frozen=True, kw_only=True)
class DataReference:
    """A data path as a config names it.

    Attributes:
        path: of a file or folder, a glob, `hf://datasets/org/name[@revision][/path]`, `org/name`.
        subset: of a dataset; None: its default.
        split: of a dataset; None: train, or the only one.
        revision: of a Hub dataset, as asked for; None: the newest.
    """

    path: str
    subset: str | None = None
    split: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class HubPath:
    """A dataset of the Hub, or files in its repository."""

    repo: str
    revision: str | None = None
    inside: str = ""
    """File, folder or glob in the repository; empty: the dataset that it holds."""

    @property
    def is_pinned(self) -> bool:
        """Whether its revision is a commit."""
        return bool(self.revision and _COMMIT.fullmatch(self.revision))

    @property
    def label(self) -> str:
        """Its name in messages, such as `org/name@abc1234`."""
        if self.revision is None:
            return self.repo
        return f"{self.repo}@{self.revision[:7] if self.is_pinned else self.revision}"

    def __str__(self) -> str:
        """As a config names it."""
        revision = "" if self.revision is None else f"@{quote(self.revision, safe='')}"
        return f"{_DATASETS}{self.repo}{revision}{self.inside and '/'}{self.inside}"


def hub_path(path: str, *, key: str) -> HubPath | None:
    """The dataset of the Hub that a path names; None: it names local files.

    `org/name` names a dataset unless something local has that path, or could: a file with the
    suffix of a data file, or anything in an existing folder `org`.

    Raises:
        ConfigError: it begins as an address of the Hub and names no dataset.
    """
    if path.startswith(SCHEME):
        match = _HUB_PATH.fullmatch(path)
        if match is None:
            raise ConfigError(
                f"{key}={path} is not the name of a dataset.",
                remedy="write hf://datasets/ORG/NAME, with @REVISION or /PATH/IN/REPOSITORY "
                "behind it if you like.",
            )
        revision = match["revision"]
        return HubPath(
            repo=match["repo"],
            revision=None if revision is None else unquote(revision),
            inside=match["inside"] or "",
        )
    if not _HUB_NAME.fullmatch(path) or data_suffix(Path(path)) in _DATA_SUFFIXES:
        return None
    if os.path.lexists(path) or Path(path).parent.is_dir():
        return None
    return HubPath(repo=path)


def hub_hint(path: str) -> str:
    """The end of a remedy for a local path that does not exist and looks like a dataset's name."""
    name = os.path.relpath(path)
    is_name = _HUB_NAME.fullmatch(name) and data_suffix(Path(name)) not in _DATA_SUFFIXES
    return f", or write {_DATASETS}{name} if you mean a dataset of the Hub" if is_name else ""


def is_hub(path: str) -> bool:
    """Whether a path, made absolute where it is local, is one of the Hub."""
    return path.startswith(SCHEME)


def source_name(path: str) -> str:
    """The default name of a source at a path of the Hub: that of the dataset or file."""
    hub = hub_path(path, key="")
    assert hub is not None
    last = hub.inside.split("*")[0].rstrip("/").rpartition("/")[2].partition(".")[0]
    return last or hub.repo.partition("/")[2]


def refuse_slice(reference: DataReference, *, key: str) -> None:
    """Refuse a split such as `train[:10%]`.

    Raises:
        ConfigError: it is one.
    """
    if reference.split is not None and re.search(r"[\[\]+]", reference.split):
        raise ConfigError(
            f"{key}: the split {reference.split!r} is a part or sum of splits, which ftdist does "
            "not take.",
            remedy="name one whole split; give another part as a further source, or save it with "
            "`save_to_disk`.",
        )
