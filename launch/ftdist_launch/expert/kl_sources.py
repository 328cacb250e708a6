"""Which sources of an existing library an expert trains by KL to the base model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ftdist.config.expert import ExpertConfig
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, DataError, FtdistError
from ftdist.library.store.dataset import LIBRARY, RETENTION, is_curated, open_curated


def with_kl_of_library(config: RunConfig, *, expert: ExpertConfig) -> RunConfig:
    """The config without the default sources of `library.kl_to_base` that its library lacks."""
    known = _source_names(config)
    if known is None or expert.curation is not None or "library.kl_to_base" in expert.typed:
        return config
    wanted = config.library.kl_to_base
    names = [name for name in wanted if name in known or name not in RETENTION]
    return replace(config, library=replace(config.library, kl_to_base=names))


def kl_problems(config: RunConfig) -> Iterator[FtdistError]:
    """Names in `library.kl_to_base` that no source of an existing library has."""
    known = _source_names(config)
    unknown = [] if known is None else sorted(set(config.library.kl_to_base) - known.keys())
    if known is not None and unknown:
        yield ConfigError(
            f"library.kl_to_base names {', '.join(unknown)}, and the sources of "
            f"{config.library.path} are {', '.join(known)}.",
            remedy="write library.kl_to_base=[], or curate the library from sources=[...], which "
            "adds replay and out_of_scope.",
        )


def _source_names(config: RunConfig) -> dict[str, None] | None:
    """Names and roles of the sources; None: the library is not there, or is damaged."""
    folder, extra = Path(config.library.path).expanduser(), config.library.extra_sources
    if not folder.exists():
        return None
    if not is_curated(folder):
        return dict.fromkeys([LIBRARY, *extra])
    try:
        sources = open_curated(folder).sources
    except DataError:
        return None  # preparing the library reports it
    return dict.fromkeys([*(s.name for s in sources), *(s.role for s in sources), *extra])
