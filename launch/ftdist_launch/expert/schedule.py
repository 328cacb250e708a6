"""Decide which stages of a run stay as they are, and which run (again)."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ftdist.config.keys import comparison_keys
from ftdist.config.resume_keys import MAY_CHANGE
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, StorageError
from ftdist.io.jsonl import write_whole
from ftdist.library.store.dataset import MANIFEST
from ftdist.rundir import RunDir
from ftdist_launch.expert.request import ExpertRequest
from ftdist_launch.expert.stages import STAGES, Stage, StageName, read_stages

DOCUMENTS = "library.sources"
"""In place of the keys of a curation whose settings or documents changed."""

OF_COMPARISON = "tracking.log_generations"
"""A key of tracking that the comparison reads."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What `ftdist expert` does with each stage."""

    skipped: tuple[StageName, ...]
    reused: tuple[StageName, ...]
    """Done before, with the same inputs."""

    todo: tuple[StageName, ...]
    resumes: bool
    """Whether training has begun: it resumes from its newest checkpoint."""

    changed: tuple[str, ...] = ()
    """Keys with other values than before; `library.sources` also for other documents."""

    config: RunConfig
    """To write into the run directory."""


def schedule(request: ExpertRequest) -> Schedule:
    """Decide what to do with each stage.

    Raises:
        ConfigError: the run exists and learned, or is learning, something else.
    """
    run, resumes = request.run, request.run.newest_attempt() > 0
    if not run.expert.is_file():
        todo = tuple(name for name in STAGES if name not in request.skipped)
        return Schedule(
            skipped=request.skipped, reused=(), todo=todo, resumes=False, config=request.config
        )
    before = _read_record(run)
    changes = _changes(before["config"], dataclasses.asdict(request.config))
    if before["inputs"] != request.inputs:
        changes.insert(0, DOCUMENTS)
    if resumes:
        _refuse_another_run(run, changes)
    stages = {stage.name: stage for stage in read_stages(run)}
    first_changed = _first_changed(changes, resumes=resumes)
    reused = _reused(request, stages, first_changed=first_changed, resumes=resumes)
    done = (*request.skipped, *reused)
    planned = resumes or "prepare" in reused
    return Schedule(
        skipped=request.skipped,
        reused=reused,
        todo=tuple(name for name in STAGES if name not in done),
        resumes=resumes,
        changed=tuple(changes),
        config=_merged(run, changes, request.config) if planned else request.config,
    )


def _refuse_another_run(run: RunDir, changes: Sequence[str]) -> None:
    """Refuse changes that would make a run that has begun to train another one."""
    other = [key for key in changes if not key.startswith((*MAY_CHANGE, *_AFTER_TRAINING))]
    if not other:
        return
    keys = [key for key in other if key != DOCUMENTS]
    what = [f"other values of {', '.join(keys)}"] if keys else []
    if DOCUMENTS in other:
        what.insert(0, "other documents, or the same curated in another way")
    raise ConfigError(
        f"Run {run.name} has begun to train with {' and with '.join(what)}.",
        remedy="set another run.name for a new expert, or take the changes back.",
    )


def write_record(request: ExpertRequest, plan: Schedule) -> None:
    """Record in the run directory what was asked, how to curate, and what happens to each stage."""
    run = request.run
    record = {
        "words": list(request.words),
        "inputs": request.inputs,
        "model": request.model,
        "config": dataclasses.asdict(request.config),
    }
    write_whole(run.expert, json.dumps(record, indent=2) + "\n")
    if request.curation is not None:
        write_whole(run.curation, json.dumps(dataclasses.asdict(request.curation)))
    run.append_event(
        "stages_planned",
        stages=list(STAGES),
        skipped=list(plan.skipped),
        reused=list(plan.reused),
    )


def recorded_words(run: RunDir) -> list[str]:
    """The command line that made a run; empty if it is no run of `ftdist expert`."""
    return list(_read_record(run)["words"]) if run.expert.is_file() else []


_AFTER_TRAINING = ("export.", OF_COMPARISON, *comparison_keys())


def _read_record(run: RunDir) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(run.expert.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{run.expert} cannot be read: {error}.",
            remedy="restore it from a backup, or start a new run with another run.name.",
        ) from None
    return record


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Keys whose values differ."""
    changed = []
    for name in now:
        old, new = before.get(name), now[name]
        if isinstance(old, dict) and isinstance(new, dict) and old and new:
            changed += _changes(old, new, prefix=f"{prefix}{name}.")
        elif json.loads(json.dumps(new)) != old:
            changed.append(f"{prefix}{name}")
    return changed


def _first_changed(changes: Sequence[str], *, resumes: bool) -> StageName | None:
    """The first stage that runs again for the changes; None: no stage does."""
    if DOCUMENTS in changes:
        return "curate"
    if not resumes and any(not key.startswith(_AFTER_TRAINING) for key in changes):
        return "prepare"
    if any(key.startswith("export.") for key in changes):
        return "export"
    return "compare" if any(key.startswith(_AFTER_TRAINING) for key in changes) else None


def _reused(
    request: ExpertRequest,
    stages: Mapping[StageName, Stage],
    *,
    first_changed: StageName | None,
    resumes: bool,
) -> tuple[StageName, ...]:
    reused: list[StageName] = []
    for name in STAGES:
        if name in request.skipped:
            continue
        if resumes and name in ("curate", "prepare"):
            # Never again, even if the library is gone: a new plan would not fit the checkpoints.
            reused.append(name)
            continue
        if name == first_changed or not _is_done(request, stages.get(name)):
            break
        reused.append(name)
    return tuple(reused)


def _is_done(request: ExpertRequest, stage: Stage | None) -> bool:
    """Whether a stage is done, and its result is still there."""
    if stage is None or stage.state != "done":
        return False
    run, library = request.run, Path(request.config.library.path)
    results = {
        "curate": library / MANIFEST,
        "prepare": run.plan,
        "export": run.export / "config.json",
        "compare": run.report / "scores.json",
    }
    return stage.name not in results or results[stage.name].is_file()


def _merged(run: RunDir, changes: Sequence[str], wanted: RunConfig) -> RunConfig:
    """The config that the run trains with, with the changed keys."""
    values, new = dataclasses.asdict(load_config(run.config)), dataclasses.asdict(wanted)
    for key in changes:
        if key == DOCUMENTS:
            continue
        *sections, last = key.split(".")
        target, source = values, new
        for section in sections:
            target, source = target[section], source[section]
        target[last] = source[last]
    return TypeAdapter(RunConfig).validate_python(values)
