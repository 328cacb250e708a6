"""Resolve data paths on the Hub to commits and download their files, before a job is queued.

Ranks and queued curations read the Hub's cache and ask nothing of the Hub.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ftdist.config.schema import EvalConfig, LibraryConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.config.schema.data_source import split_name
from ftdist.errors import ConfigError, DataError
from ftdist.io.progress import LogFn
from ftdist.library.sources.reference import DataReference, hub_path
from ftdist_launch.subprocesses import call_child

EVAL_PATHS = ("probes", "extra_probes", "general_questions", "perplexity_texts")
"""Keys of `eval` that name a file."""

_OPTIONS = ("path", "subset", "split", "revision")


def resolve_library(config: LibraryConfig, *, log: LogFn, recorded: bool = False) -> LibraryConfig:
    """The library's section with the commit of each Hub dataset in its path.

    Args:
        config: the section.
        log: for messages to the user.
        recorded: whether it is such a section itself, whose revisions say what was asked for.

    Raises:
        ConfigError: a path and its revision name different revisions.
        FtdistError: a dataset does not exist or cannot be downloaded.
    """
    requested = {"library.path": config} | {
        f"library.extra_sources.{name}.path": source
        for name, source in config.extra_sources.items()
    }
    references = {key: _reference(source) for key, source in requested.items()}
    if not recorded:
        _refuse_two_revisions(references)
    found = _resolved(references, log=log)
    changed: dict[str, Any] = {
        key: replace(source, **_options(found[key])) if key in found else source
        for key, source in requested.items()
    }
    library: LibraryConfig = changed["library.path"]
    sources = {name: changed[f"library.extra_sources.{name}.path"] for name in config.extra_sources}
    return replace(library, extra_sources=sources)


def resolve_eval(config: EvalConfig, *, log: LogFn) -> EvalConfig:
    """The evaluation's section with the commit and file of each path on the Hub.

    Raises:
        FtdistError: a dataset does not exist, cannot be downloaded, or several files are named.
    """
    paths = {name: getattr(config, name) for name in EVAL_PATHS}
    requested = {
        f"eval.{name}": DataReference(path=path) for name, path in paths.items() if path is not None
    }
    found = _resolved(requested, log=log)
    changed: dict[str, Any] = {}
    for key, answer in found.items():
        if len(answer["files"]) != 1:
            raise DataError(
                f"{key}: {requested[key].path} has {len(answer['files'])} files, and one is read.",
                remedy=f"name one of them: {key}=hf://datasets/ORG/NAME/FILE.",
            )
        changed[key.removeprefix("eval.")] = answer["files"][0]
    return replace(config, **changed)


def resolve_curation(config: CurateConfig, *, log: LogFn) -> CurateConfig:
    """A curation with the commit of each Hub dataset in its path.

    Raises:
        FtdistError: a dataset does not exist or cannot be downloaded.
    """
    lists = {
        "library.sources": list(map(split_name, config.library.sources)),
        "retention.replay_sources": list(map(split_name, config.retention.replay_sources)),
    }
    requested = {
        (key, number): _reference(entry)
        for key, entries in lists.items()
        for number, entry in enumerate(entries)
    }
    for (key, _), reference in requested.items():
        _refuse_two_revisions({key: reference})
    found = _resolved(requested, log=log)
    changed = {
        key: [
            replace(entry, **_options(found[key, number])) if (key, number) in found else given
            for number, (entry, given) in enumerate(zip(entries, before, strict=True))
        ]
        for (key, entries), before in zip(
            lists.items(),
            (config.library.sources, config.retention.replay_sources),
            strict=True,
        )
    }
    return replace(
        config,
        library=replace(config.library, sources=changed["library.sources"]),
        retention=replace(config.retention, replay_sources=changed["retention.replay_sources"]),
    )


def _refuse_two_revisions(references: Mapping[str, DataReference]) -> None:
    for key, reference in references.items():
        hub = hub_path(reference.path, key=key)
        if hub and hub.revision and reference.revision not in (None, hub.revision):
            raise ConfigError(
                f"{key}={reference.path} names the revision {hub.revision}, and its key revision "
                f"is {reference.revision}.",
                remedy="leave one of them out.",
            )


def _reference(source: Any) -> DataReference:
    return DataReference(**{option: getattr(source, option) for option in _OPTIONS})


def _options(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {option: answer[option] for option in _OPTIONS}


def _resolved(references: Mapping[Any, DataReference], *, log: LogFn) -> dict[Any, dict[str, Any]]:
    """What each reference to the Hub was resolved to, by its key; local ones are left out."""
    names = {key: key if isinstance(key, str) else key[0] for key in references}
    requested = {
        key: reference
        for key, reference in references.items()
        if hub_path(reference.path, key=names[key])
    }
    if not requested:
        return {}
    listed = ", ".join(dict.fromkeys(reference.path for reference in requested.values()))
    log(f"Downloading {listed} from the Hub, unless cached.")
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        request = Path(folder) / "request.json"
        wanted = [asdict(reference) | {"key": names[key]} for key, reference in requested.items()]
        request.write_text(json.dumps(wanted), encoding="utf-8")
        answers = call_child("ftdist.library.sources.main", [str(request)])["sources"]
    return dict(zip(requested, answers, strict=True))
