"""Warnings about the data of a run: what it lacks, and what it leaves out."""

from pathlib import Path

from ftdist.config.schema import RunConfig
from ftdist.library.store.dataset import is_curated, open_curated

TINY_FOLDER = Path(".cache/ftdist/tiny")

NO_REPLAY_WARNING = (
    "Warning: no replay data. The model may forget general knowledge; curate with "
    "retention=recommended to add replay and out-of-scope examples "
    "(see docs/how-to/keep-general-knowledge.md)."
)


def library_warnings(config: RunConfig) -> list[str]:
    """Warnings about the library of a config with absolute folders.

    Raises:
        DataError: it is a curated library that cannot be used.
    """
    folder = Path(config.library.path)
    curated = open_curated(folder).sources if is_curated(folder) else ()
    no_replay = (
        not config.library.extra_sources
        and folder != (TINY_FOLDER / "library").resolve()
        and all(source.role == "library" for source in curated)
    )
    left_out = [
        f"Left out: {source.name}, which needs library.kl_to_base=[{source.role}]."
        for source in curated
        if source.is_left_out(config.library.kl_to_base)
    ]
    return [*([NO_REPLAY_WARNING] if no_replay else []), *left_out]
