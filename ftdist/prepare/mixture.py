"""The sources of a run and their weights in the mixture."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.library.store.dataset import CuratedLibrary, is_curated, open_curated
from ftdist.plan.dataset_info import PackedSourceInfo
from ftdist.prepare.data_files import SourceFiles, find_files

LIBRARY = "library"
"""Name of the first source, where the library is no curated one."""

RETENTION = ("replay", "out_of_scope")
"""Roles of the sources that a curation adds so that the model does not forget."""


def find_source_files(config: RunConfig) -> dict[str, SourceFiles]:
    """The files of each source by its name, the library's first.

    Raises:
        ConfigError: two sources have one name.
        DataError: a source is not there, or holds nothing to read.
    """
    own = _of_library(config)
    for name in config.library.extra_sources:
        if name in own:
            raise ConfigError(
                f"library.extra_sources.{name} has the name of "
                + ("the library itself." if name == LIBRARY else "a source of the library."),
                remedy=f"call the source something else than {name!r}.",
            )
    return own | {
        name: find_files(Path(source.path).expanduser(), key=f"library.extra_sources.{name}.path")
        for name, source in config.library.extra_sources.items()
    }


def weighed(config: RunConfig, sources: Sequence[PackedSourceInfo]) -> tuple[PackedSourceInfo, ...]:
    """Packed sources with the weights of this config: tokens for each token of the first.

    In one pass over the library each token of its sources is seen as often as its weight says.
    Replay and out-of-scope samples of a curated library have shares of all tokens of the pass; what
    the config adds has a weight for each token of the library's pass.
    """
    folder = Path(config.library.path).expanduser()
    curated = open_curated(folder) if is_curated(folder) else None
    tokens = {source.name: source.tokens for source in sources}
    if curated is None:
        per_pass = {LIBRARY: float(tokens[LIBRARY])}
    else:
        per_pass = _of_curated(curated, tokens=tokens)
    own = {name for name in per_pass if curated is None or _role(curated, name) == LIBRARY}
    library = math.fsum(per_pass[name] for name in own)
    per_pass |= {name: more.weight * library for name, more in config.library.extra_sources.items()}
    first = sources[0].tokens
    kl_sources = kl_source_names(config, names=[source.name for source in sources])
    return tuple(
        replace(
            source,
            weight=per_pass[source.name] / first,
            kl_to_base=source.name in kl_sources,
            own=source.name in own,
        )
        for source in sources
    )


def kl_source_names(config: RunConfig, *, names: Sequence[str]) -> set[str]:
    """The sources, of all `names`, that are trained by KL to the base model.

    Raises:
        ConfigError: there is no such source, or none would teach the library.
    """
    folder = Path(config.library.path).expanduser()
    roles = {name: name for name in names}
    if is_curated(folder):
        roles |= {source.name: source.role for source in open_curated(folder).sources}
    wanted = set(config.library.kl_to_base)
    unknown = sorted(wanted - set(names) - set(roles.values()))
    if unknown:
        known = dict.fromkeys([*names, *roles.values()])
        curate = ""
        if retention := [name for name in RETENTION if name in unknown]:
            curate = (
                "curate the library with retention=recommended, which adds "
                f"{' and '.join(retention)}; or "
            )
        raise ConfigError(
            f"library.kl_to_base names {', '.join(unknown)}, and the sources are "
            f"{', '.join(known)}.",
            remedy=f"{curate}name sources that there are, or add them by "
            "library.extra_sources.NAME.path.",
        )
    kl_sources = {name for name in names if name in wanted or roles[name] in wanted}
    if kl_sources == set(names):
        raise ConfigError(
            "library.kl_to_base names all sources: nothing would be learned.",
            remedy="leave the library's own sources out of it.",
        )
    return kl_sources


def _of_library(config: RunConfig) -> dict[str, SourceFiles]:
    folder = Path(config.library.path).expanduser()
    if not is_curated(folder):
        return {LIBRARY: find_files(folder, key="library.path")}
    return {
        source.name: SourceFiles(
            root=folder,
            files=(source.train, source.held_out),
            ignored=(),
            key="library.path",
            held_out=source.held_out,
        )
        for source in open_curated(folder).sources
    }


def _role(curated: CuratedLibrary, name: str) -> str:
    return next(source.role for source in curated.sources if source.name == name)


def _of_curated(curated: CuratedLibrary, *, tokens: dict[str, int]) -> dict[str, float]:
    """Tokens of each source in one pass over the library."""
    own = {s.name: s.weight * tokens[s.name] for s in curated.sources if s.role == LIBRARY}
    shares = {
        role: curated.shares.get(role, 0.0)
        for role in dict.fromkeys(s.role for s in curated.sources if s.role != LIBRARY)
    }
    whole = math.fsum(own.values()) / (1 - math.fsum(shares.values()))
    for role, share in shares.items():
        names = [s.name for s in curated.sources if s.role == role]
        of_role = sum(tokens[name] for name in names)
        own |= {name: share * whole * tokens[name] / of_role for name in names}
    return own
