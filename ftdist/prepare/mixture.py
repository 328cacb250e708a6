"""The sources of a run and their weights in the mixture."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ftdist.config.schema import LibraryConfig, RunConfig, SourceConfig
from ftdist.errors import ConfigError
from ftdist.io.hashing import fingerprint
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.sources.reference import DataReference
from ftdist.library.sources.walk import home_of
from ftdist.library.store.dataset import LIBRARY, RETENTION, is_curated, open_curated
from ftdist.plan.dataset_info import PackedSourceInfo
from ftdist.prepare.data_files import SourceFiles, find_files


def find_source_files(config: RunConfig) -> dict[str, SourceFiles]:
    """The files of each source by its name, the library's first.

    Raises:
        ConfigError: two sources have one name.
        DataError: a source is not there, or holds nothing to read.
    """
    rows = RowSettings(
        columns=dict(sorted(config.library.columns.items())),
        drop_columns=tuple(config.library.drop_columns),
        preferences=config.library.preferences,
    )
    own = _of_library(config, rows)
    for name in config.library.extra_sources:
        if name in own:
            raise ConfigError(
                f"library.extra_sources.{name} has the name of "
                + ("the library itself." if name == LIBRARY else "a source of the library."),
                remedy=f"call the source something else than {name!r}.",
            )
    return own | {
        name: replace(
            find_files(_reference(source), key=f"library.extra_sources.{name}.path"),
            role="",
            rows=rows,
            weight=source.weight,
        )
        for name, source in config.library.extra_sources.items()
    }


def _of_library(config: RunConfig, rows: RowSettings) -> dict[str, SourceFiles]:
    folder = Path(config.library.path).expanduser()
    if not is_curated(folder):
        found = find_files(_reference(config.library), key="library.path")
        return {LIBRARY: replace(found, rows=rows)}
    for option in ("subset", "split", "revision"):
        if wanted := getattr(config.library, option):
            raise ConfigError(
                f"library.{option}={wanted}, and {folder} is a curated library, which is used as "
                "a whole.",
                remedy=f"leave library.{option} out.",
            )
    curated = open_curated(folder)
    return {
        source.name: SourceFiles(
            root=folder,
            home=home_of(folder),
            files=(source.train, source.held_out),
            ignored=(),
            key="library.path",
            held_out=source.held_out,
            role=source.role,
            weight=source.weight,
            share=None if source.role == LIBRARY else curated.shares.get(source.role, 0.0),
            is_curated=True,
            digests=source.digests,
        )
        for source in curated.sources
        if not source.is_left_out(config.library.kl_to_base)
    }


def _reference(source: LibraryConfig | SourceConfig) -> DataReference:
    return DataReference(
        path=source.path, subset=source.subset, split=source.split, revision=source.revision
    )


def weighed(
    sources: Mapping[str, SourceFiles],
    packed: Sequence[PackedSourceInfo],
    *,
    kl_sources: Container[str],
    kl_weight: float = 1.0,
) -> tuple[PackedSourceInfo, ...]:
    """The packed sources with their weights in a run: tokens for each token of the first.

    In one pass over the library each token of its sources is seen as often as its weight says.
    Replay and out-of-scope samples of a curated library have shares of all tokens of the pass; what
    the config adds has a weight for each token of the library's pass.

    Args:
        sources: by name.
        packed: their sizes, in the same order.
        kl_sources: names of those that are trained by KL to the base model.
        kl_weight: factor on the loss of each of their tokens.
    """
    tokens = {source.name: source.tokens for source in packed}
    library = math.fsum(
        source.weight * tokens[name] for name, source in sources.items() if source.role == LIBRARY
    )
    shares = {source.role: source.share for source in sources.values() if source.share is not None}
    whole = library / (1 - math.fsum(shares.values()))

    def tokens_per_pass(name: str) -> float:
        source = sources[name]
        if source.share is None:
            return source.weight * (tokens[name] if source.role == LIBRARY else library)
        of_role = sum(tokens[n] for n, other in sources.items() if other.role == source.role)
        return source.share * whole * tokens[name] / of_role

    return tuple(
        replace(
            source,
            weight=tokens_per_pass(source.name) / packed[0].tokens,
            kl_to_base=source.name in kl_sources,
            loss_weight=kl_weight if source.name in kl_sources else 1.0,
            distilled_tokens=0 if source.name in kl_sources else source.distilled_tokens,
            teacher_tokens=0 if source.name in kl_sources else source.teacher_tokens,
            own=sources[source.name].role == LIBRARY,
            origin=sources[source.name].origin,
            fingerprint=fingerprint(sources[source.name].fingerprint),
        )
        for source in packed
    )


def kl_source_names(config: RunConfig, sources: Mapping[str, SourceFiles]) -> set[str]:
    """The sources that are trained by KL to the base model.

    Raises:
        ConfigError: there is no such source, or none would teach the library.
    """
    wanted = set(config.library.kl_to_base)
    known = dict.fromkeys([*sources, *(s.role for s in sources.values() if s.role)])
    unknown = sorted(wanted - set(known))
    if unknown:
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
            "library.extra_sources.NAME.path; library.kl_to_base=[] names none.",
        )
    chosen = {name for name, source in sources.items() if {name, source.role} & wanted}
    if chosen == set(sources):
        raise ConfigError(
            "library.kl_to_base names all sources: nothing would be learned.",
            remedy="leave the library's own sources out of it.",
        )
    return chosen
