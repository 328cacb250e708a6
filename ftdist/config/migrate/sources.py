"""The datasets that another trainer's config names, as keys of `library`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftdist.config.migrate.draft import Draft
from ftdist.config.schema.types import HUB_NAME_PATTERN
from ftdist.errors import ConfigError

_BUCKET = re.compile(r"(s3|gs|gcs|az|abfs|abfss|adl|oci|r2|oss)://", re.IGNORECASE)
_FILE = re.compile(r"\.(jsonl?|parquet|csv|tsv|txt|md|arrow|ya?ml)(\.(gz|zst))?", re.IGNORECASE)


@dataclass
class Source:
    """One dataset, in ftdist's words."""

    name: str
    path: str
    subset: str | None = None
    split: str | None = None
    revision: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    """ftdist's name of a column to the file's own, where they differ."""

    preferences: bool = False
    """Whether rows hold a chosen and a rejected answer."""

    @property
    def is_hub(self) -> bool:
        """Whether the path names a dataset of the Hub."""
        return self.path.startswith("hf://")


def data_path(path: str, *, base: Path | None = None, key: str) -> str:
    """A path of a dataset as `library.path` takes it.

    Args:
        path: a file, a folder, or the name of a dataset of the Hub.
        base: the folder that relative paths are below; None: the current one.
        key: the other trainer's key, for messages.

    Raises:
        ConfigError: the data is where ftdist does not reach.
    """
    if _BUCKET.match(path) or path.startswith(("http://", "https://")):
        raise ConfigError(
            f"{key} is {path}, and ftdist reads local files and datasets of the Hub only.",
            remedy="copy the data to this file system and name the copy in library.path.",
        )
    local = Path(path).expanduser() if base is None else base / Path(path).expanduser()
    is_file = local.exists() or base is not None or _FILE.search(path)
    if re.fullmatch(HUB_NAME_PATTERN, path) and not is_file:
        return f"hf://datasets/{path}"
    return str(local)


def write_sources(draft: Draft, sources: Sequence[Source]) -> None:
    """Set the keys of `library` for these datasets; the first one becomes the library."""
    first = sources[0]
    _write_place(draft, first, key="library")
    if first.columns:
        draft.set("library.columns", first.columns)
    if any(source.preferences for source in sources):
        draft.set("library.preferences", "chosen")
        draft.remark(
            "preferences",
            "ftdist does not train on preferences (DPO, KTO); with library.preferences=chosen it "
            "learns the chosen answers and ignores the rejected ones.",
        )
    for source in sources[1:]:
        _write_extra(draft, source, first=first)


def _write_extra(draft: Draft, source: Source, *, first: Source) -> None:
    name = re.sub(r"\W+", "_", source.name).strip("_") or "extra"
    taken = {key.split(".")[2] for key in draft.overrides if "extra_sources." in key}
    while name in taken:
        name += "_2"
    key = f"library.extra_sources.{name}"
    _write_place(draft, source, key=key)
    draft.set(f"{key}.weight", 1)
    draft.remark(
        source.name,
        f"{draft.trainer} concatenates datasets, ftdist mixes them by weight: replace the 1 in "
        f"{key}.weight by this dataset's tokens divided by the library's, or let `ftdist curate` "
        "join them.",
    )
    if source.columns != first.columns:
        draft.remark(
            source.name,
            "its columns differ from those of the library, which hold for all sources; "
            "`ftdist curate` reads each source with its own: "
            "'library.sources=[{path: ..., columns: {...}}, ...]'.",
        )


def _write_place(draft: Draft, source: Source, *, key: str) -> None:
    """Set the path and what to take of it."""
    draft.set(f"{key}.path", source.path)
    is_folder = Path(source.path).is_dir()
    for part in ("subset", "split", "revision"):
        value = getattr(source, part)
        if value is None or (value == "train" and not source.is_hub):
            continue  # of a folder, ftdist takes train by itself
        if source.is_hub or is_folder:
            draft.set(f"{key}.{part}", value)
        else:
            draft.remark(
                f"{source.name}.{part}", f"{source.path} is a file, which has no {part} {value}."
            )
