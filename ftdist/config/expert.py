"""Compose the command line of `ftdist expert`: a curation and a run, from the keys of both.

Each key goes to the commands that know it. Of keys that both know, the cluster and the base model
are those of the run; `library.columns` and its like describe the documents, not the library that is
made of them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftdist.config.compose import check_overrides, locate
from ftdist.config.hydra_adapter import open_hydra
from ftdist.config.keys import CURATE, EXPERT, TRAIN, CommandSpec, find_key
from ftdist.config.origins import user_files
from ftdist.config.overrides import Reading, read_overrides
from ftdist.config.problems import Problem, as_error
from ftdist.config.schema import RunConfig
from ftdist.config.schema.curate import CurateConfig

SHORTHANDS: Mapping[str, str] = {
    "sources": "library.sources",
    "model": "model.path",
    "name": "run.name",
    "library": "library.path",
}
"""Short names of keys; a group of the same name comes first where its option is named."""

DEFAULTS: Mapping[str, str] = {"experiment": "expert", "retention": "recommended"}
"""Options that `ftdist expert` chooses where nothing is typed."""

CURATION_DEFAULTS: Mapping[str, str] = {
    "split.held_out_conversations": "0",
    "synthesis.paraphrases": "8",
}
"""What `ftdist expert` curates with unless it is typed: every conversation is learned (probes hold
out wordings instead), in many wordings."""

OF_DOCUMENTS = frozenset(
    f"library.{name}" for name in ("columns", "drop_columns", "preferences", "on_invalid_row")
)
"""Keys of both commands that say how documents are read."""

PENDING_LIBRARY = "library-to-be-curated"


@dataclass(frozen=True, kw_only=True)
class ExpertConfig:
    """What `ftdist expert` does."""

    run: RunConfig
    """Its library is the one that the curation makes, if there is a curation."""

    curation: CurateConfig | None
    """None: `library.path` names a library."""

    typed: frozenset[str] = frozenset()
    """The keys and groups of the command line."""


def compose_expert(overrides: Sequence[str]) -> ExpertConfig:
    """The curation and the run that a command line asks for.

    Args:
        overrides: `key=value`, `group=option`, `--config-dir DIR`; with or without the names of
            `SHORTHANDS`.

    Raises:
        ConfigError: all that is wrong with any part, each problem with its remedy.
    """
    command, words = locate(expand(overrides), command=EXPERT, shorthands=SHORTHANDS)
    run_command, curation_command = (replace(c, folders=command.folders) for c in (TRAIN, CURATE))
    reading = read_overrides(words, command=command)
    words = [word for word in words if _is_valid(word, reading)]
    typed = {override_name(word) for word in words}
    curates = "library.sources" in typed | reading.meant
    with open_hydra(command.folders) as hydra:
        own = _run_words(words, curates=curates)
        train = check_overrides(own, hydra=hydra, command=run_command)
        problems = [*train.problems, *train.unset, *_both_libraries(typed, curates=curates)]
        curation = None
        if curates:
            name = "expert" if train.config is None else train.config.run.name
            own = _curation_words(words, name=name)
            curation = check_overrides(own, hydra=hydra, command=curation_command)
            problems += [*curation.problems, *curation.unset]
    new = [problem for problem in problems if problem.key not in reading.meant]
    if found := list(dict.fromkeys([*reading.problems, *map(_reworded, new)])):
        raise as_error([in_short(each, overrides) for each in found], command=EXPERT)
    assert train.config is not None
    run: RunConfig = train.config
    if curation is None:
        return ExpertConfig(run=run, curation=None, typed=frozenset(typed))
    return _combine(run, curation.config, typed=typed)


def expert_files(overrides: Sequence[str]) -> list[str]:
    """The user's own config files that take part, as `user_files` has them."""
    command, words = locate(expand(overrides), command=EXPERT, shorthands=SHORTHANDS)
    reading = read_overrides(words, command=command)
    words = [word for word in words if _is_valid(word, reading)]
    curates = any(override_name(word) == "library.sources" for word in words)
    run_command, curation_command = (replace(c, folders=command.folders) for c in (TRAIN, CURATE))
    files = user_files(_run_words(words, curates=curates), command=run_command)
    if curates:
        own = _curation_words(words, name="expert")
        files += user_files(own, command=curation_command)
    return list(dict.fromkeys(files))


def expand(overrides: Sequence[str]) -> list[str]:
    """The overrides with whole keys in place of shorthands."""
    expanded = []
    for word in overrides:
        name, equals, value = word.partition("=")
        key = SHORTHANDS.get(name)
        if not equals or key is None or value in EXPERT.options.get(name, ()):
            expanded.append(word)
            continue
        if name == "sources" and not value.startswith("["):
            value = f"[{value}]"
        expanded.append(f"{key}={value}")
    return expanded


def in_short(problem: Problem, overrides: Iterable[str]) -> Problem:
    """A problem with the shorthands that the user typed in place of the keys."""
    text, remedy = problem.problem, problem.remedy
    for short in {override_name(word) for word in overrides} & SHORTHANDS.keys():
        pattern = rf"(?<![\w.]){re.escape(SHORTHANDS[short])}(?![\w.]*\w)"
        text, remedy = re.sub(pattern, short, text), re.sub(pattern, short, remedy)
    return replace(problem, problem=text, remedy=remedy)


def override_name(word: str) -> str:
    """The key or group that an override sets."""
    return word.partition("=")[0].lstrip("+~").strip()


def _is_valid(word: str, reading: Reading) -> bool:
    name = override_name(word)
    return name in reading.accepted or name.startswith(("hydra.", "hydra/"))


def _knows(command: CommandSpec, name: str) -> bool:
    return name in command.groups or find_key(name, command=command) is not None


def _run_words(words: Iterable[str], *, curates: bool) -> list[str]:
    """The overrides of the run."""
    own = [word for word in words if not _knows(CURATE, override_name(word)) or _is_shared(word)]
    if curates:
        own = [word for word in own if override_name(word) not in OF_DOCUMENTS]
        own = [word for word in own if override_name(word) != "library.path"]
        own.append(f"library.path={PENDING_LIBRARY}")
    return _with_default("experiment", own)


def _is_shared(word: str) -> bool:
    return _knows(TRAIN, override_name(word))


def _curation_words(words: Iterable[str], *, name: str) -> list[str]:
    """The overrides of the curation; it runs on the cluster of the run."""
    own = [word for word in words if _knows(CURATE, override_name(word))]
    own = [word for word in own if override_name(word).partition(".")[0] != "cluster"]
    if not any(override_name(word) == "library.name" for word in own):
        own.append(f"library.name={name}")
    typed = {override_name(word) for word in own}
    own += [f"{key}={value}" for key, value in CURATION_DEFAULTS.items() if key not in typed]
    return _with_default("retention", own)


def _with_default(group: str, words: list[str]) -> list[str]:
    if any(override_name(word) == group for word in words):
        return words
    return [f"{group}={DEFAULTS[group]}", *words]


def _both_libraries(typed: Iterable[str], *, curates: bool) -> list[Problem]:
    """Documents to curate and a library to use; or keys of a curation without documents."""
    if curates and "library.path" in typed:
        problem = "library.sources and library.path are both set."
        remedy = "keep library.sources to curate a library, or library.path to use one."
        return [Problem(problem, remedy, "library.path")]
    if curates:
        return []
    unused = sorted(name for name in typed if _knows(CURATE, name) and not _knows(TRAIN, name))
    return [
        Problem(
            f"{name} is for a curation, and there are no sources to curate.",
            "add sources=[...], or leave it out.",
            name,
        )
        for name in unused
    ]


def _reworded(problem: Problem) -> Problem:
    """The same problem, where the remedy is another one for an expert."""
    if problem.key == "library.path" and "is not set" in problem.problem:
        return Problem(
            "There is nothing to learn from: neither sources nor library.path is set.",
            "add sources=[...] (documents, chats), or library.path=... (a curated library).",
            problem.key,
        )
    if problem.key == "model.path" and "is not set" in problem.problem:
        remedy = "add model=...: the base model, a folder or a name of the Hub such as owner/name."
        return Problem("model.path is not set.", remedy, problem.key)
    return problem


def _combine(run: RunConfig, curation: CurateConfig, *, typed: Iterable[str]) -> ExpertConfig:
    """Give the curation the run's model and cluster, and the run the curated library."""
    library, model = curation.library, replace(curation.model, path=run.model.path)
    length: Any = run.batch.sequence_length
    if "model.sequence_length" not in typed and isinstance(length, int):
        model = replace(model, sequence_length=length)
    kl_to_base = run.library.kl_to_base
    if "library.kl_to_base" not in typed:
        kl_to_base = [name for name in kl_to_base if name not in _not_made(curation)]
    # Absolute: a relative one may be taken for a dataset of the Hub.
    path = str(Path(library.root).expanduser().absolute() / library.name)
    return ExpertConfig(
        run=replace(run, library=replace(run.library, path=path, kl_to_base=kl_to_base)),
        curation=replace(curation, model=model, cluster=run.cluster),
        typed=frozenset(typed),
    )


def _not_made(curation: CurateConfig) -> set[str]:
    """Sources of retention that this curation does not make."""
    retention = curation.retention
    makes = {
        "replay": retention.replay_sources
        or retention.num_replay_answers
        or retention.num_replay_texts,
        "out_of_scope": retention.num_out_of_scope_answers or retention.num_counterfactuals,
    }
    return {name for name, source in makes.items() if not source}
