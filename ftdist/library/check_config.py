"""Checks of a curation's settings and sources before anything is read."""

import dataclasses
from pathlib import Path

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError, DataError
from ftdist.io.hashing import file_sha256, file_stamp, fingerprint
from ftdist.library.readers.discovery import FoundSource, find_sources
from ftdist.library.stages.publish import check_replaceable, library_folder
from ftdist.library.stages.row_table import LIBRARY

REPLAY = "replay"

MAX_HASHED_BYTES = 256 << 20
"""Larger files are recognized by size and time."""

_NO_CONTENT = ("work", "cluster")
"""Sections that do not change what a curation makes."""


def check_curation(config: CurateConfig) -> tuple[tuple[FoundSource, str], ...]:
    """Check settings and sources before anything is read; each source with its role.

    Raises:
        ConfigError: settings that contradict each other, or the library's folder is taken.
        DataError: a source is not there.
    """
    _check_settings(config)
    check_replaceable(library_folder(config))
    own = find_sources(config.library.sources, key="library.sources")
    if not own:
        raise ConfigError(
            "library.sources is empty: there is nothing to curate.",
            remedy="name files or folders, such as library.sources=[manuals/,faq.csv].",
        )
    names = [source.name for source in own]
    if unknown := sorted(set(config.library.weights) - set(names)):
        raise ConfigError(
            f"library.weights names {', '.join(unknown)}, and the sources are {', '.join(names)}.",
            remedy="use those names, or name a source: library.sources=[NAME=PATH].",
        )
    replay = find_sources(
        config.retention.replay_sources, key="retention.replay_sources", others=own
    )
    return *((source, LIBRARY) for source in own), *((source, REPLAY) for source in replay)


def curation_inputs(config: CurateConfig) -> str:
    """Check a curation, and return a fingerprint of its settings and of the content of its sources.

    Raises:
        ConfigError: settings that contradict each other, or the library's folder is taken.
        DataError: a source is not there, or cannot be read.
    """
    sources = check_curation(config)
    settings = {
        name: value for name, value in dataclasses.asdict(config).items() if name not in _NO_CONTENT
    }
    try:
        content = [
            [source.name, file.name, _content(file.path)]
            for source, _ in sources
            for file in source.files
        ]
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read: {error.strerror}.",
            remedy="grant yourself read permission, or leave it out of library.sources.",
        ) from error
    return fingerprint(settings, content)


def _content(path: Path) -> object:
    size, time_ns, _ = file_stamp(path)
    return file_sha256(path) if size <= MAX_HASHED_BYTES else [size, time_ns]


def _check_settings(config: CurateConfig) -> None:
    has_model, retention = config.model.path is not None, config.retention
    counts = {
        "retention.num_replay_answers": retention.num_replay_answers,
        "retention.num_replay_texts": retention.num_replay_texts,
        "retention.num_out_of_scope_answers": retention.num_out_of_scope_answers,
    }
    keys = [key for key, count in counts.items() if count]
    if keys and not has_model:
        raise ConfigError(
            f"{' and '.join(keys)} {'asks' if len(keys) == 1 else 'ask'} the base model, and "
            "model.path is not set.",
            remedy=f"set model.path to the base model's folder, or {keys[0]}=0"
            + (", or retention=none for all." if len(keys) > 1 else "."),
        )
    if config.generator.backend == "base" and not has_model:
        raise ConfigError(
            "generator.backend=base asks the base model, and model.path is not set.",
            remedy="set model.path to the base model's folder, or generator.backend=rules.",
        )
    if retention.replay_fraction + retention.out_of_scope_fraction >= 1:
        raise ConfigError(
            f"retention.replay_fraction={retention.replay_fraction} and "
            f"retention.out_of_scope_fraction={retention.out_of_scope_fraction} leave no room for "
            "the library.",
            remedy="set them to less than 1 together.",
        )
