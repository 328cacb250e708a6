"""An entry of a list of data sources: a path, or a path with what to take of it."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import STRICT


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SourceEntry:
    """A source with options; only `path` is required."""

    path: str
    """File, folder, glob, or dataset of the Hub."""

    name: str | None = None
    """Name of the source; null: made of the path."""

    subset: str | None = None
    """Subset of the dataset (`datasets` calls it config name); null: its default."""

    split: str | None = None
    """Split of the dataset; null: train, or the only one."""

    revision: str | None = None
    """Commit, tag or branch of the Hub dataset; null: the newest."""

    columns: dict[str, str] = Field(default_factory=dict)
    """Columns of its rows, in place of `library.columns`."""


def _form(value: Any) -> str:
    return "text" if isinstance(value, str) else "entry"


Source = Annotated[
    Annotated[str, Tag("text")] | Annotated[SourceEntry, Tag("entry")], Discriminator(_form)
]
"""`path` or `name=path`, or a mapping with the keys of a `SourceEntry`."""


def split_name(entry: str | SourceEntry) -> SourceEntry:
    """An entry with its name apart: of the text `name=path`, unless that is an existing path."""
    if isinstance(entry, SourceEntry):
        return entry
    name, equals, path = entry.partition("=")
    if not equals or "/" in name or Path(entry).expanduser().exists():
        return SourceEntry(path=entry)
    return SourceEntry(path=path, name=name)
