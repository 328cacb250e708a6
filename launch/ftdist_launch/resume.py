"""What may change when a run goes on, and the plan that follows."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.compose import load_config
from ftdist.config.keys import TRAINING_EVAL_KEYS, ConfigKey, config_keys, find_key
from ftdist.config.schema import RunConfig
from ftdist.config.validation import Problem, as_error, secret_problem, unknown_key, validate
from ftdist.errors import DataError, StorageError
from ftdist.io.progress import LogFn
from ftdist.plan.plan import LibraryFacts, Plan, make_plan, read_model_facts
from ftdist.rundir import RunDir
from ftdist_launch.preflight import (
    Machine,
    machine_notes,
    measure_problems,
    model_problems,
    raise_together,
)
from ftdist_launch.run_setup import PlannedRun, executor_problems, prepare_library, read_plan

MAY_CHANGE = (
    "cluster.",
    "tracking.",
    "checkpoint.",
    "export.",
    "early_stopping.",
    *TRAINING_EVAL_KEYS,
    "batch.allow_uneven",
)
"""Keys that leave what a run computes as it is."""


def replan(run: RunDir, overrides: Sequence[str], *, log: LogFn) -> PlannedRun:
    """The config and plan of a run that goes on.

    Args:
        run: to go on with.
        overrides: of `MAY_CHANGE`.
        log: for sentences that a user should see.

    Raises:
        FtdistError: all that is wrong with the overrides, or keeps the run from going on.
    """
    before = read_plan(run)
    config = changed(read_config(run), overrides, allowed=MAY_CHANGE)
    machine = Machine.here()
    raise_together(
        [
            *model_problems(Path(config.model.path)),
            *measure_problems(config),
            *executor_problems(config, machine=machine),
        ]
    )
    if config.cluster.executor == "local":
        for note in machine_notes(config, machine=machine):
            log(note)
    world_size = config.cluster.nodes * config.cluster.tasks_per_node
    if world_size != before.world_size:
        # Which sequences make a step stays; some ranks may get one less of them.
        config = dataclasses.replace(
            config, batch=dataclasses.replace(config.batch, allow_uneven=True)
        )
        log(f"Going on with {world_size} ranks instead of {before.world_size}.")
    plan = make_plan(
        config,
        model=read_model_facts(Path(config.model.path)),
        library=_library(config, before),
    )
    CheckpointStore(run.checkpoints, keep=1).require_space(plan.checkpoint_gib)
    # What the run was asked to do stands: `steps` may not drift with a newer formula.
    plan = dataclasses.replace(plan, steps=before.steps, epochs=before.epochs, tokens=before.tokens)
    return PlannedRun(config=config, plan=plan)


def read_config(run: RunDir) -> RunConfig:
    """The config that the run goes by.

    Raises:
        StorageError: it cannot be read, or is damaged.
        ConfigError: it is not a config of this version.
    """
    copy = run.attempt(run.newest_attempt()) / "config.yaml"
    remedy = f"copy {copy} there." if copy.is_file() else "put it back from a copy."
    try:
        yaml.safe_load(run.config.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"{run.config} cannot be read: {error.strerror}."
        raise StorageError(problem, remedy="make it readable for yourself.") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise StorageError(f"{run.config} is damaged: it is no YAML.", remedy=remedy) from None
    return load_config(run.config)


def changed(config: RunConfig, overrides: Sequence[str], *, allowed: tuple[str, ...]) -> RunConfig:
    """A run's config with other values for some keys.

    Args:
        config: of the run.
        overrides: KEY=VALUE; texts are taken as typed.
        allowed: keys, or beginnings of keys that end in a dot.

    Raises:
        ConfigError: all that is wrong: secrets, keys that there are not or that may not change,
            values that do not fit.
    """
    values = dataclasses.asdict(config)
    problems: list[Problem] = []
    typed: dict[str, str] = {}
    for override in overrides:
        name, _, text = override.partition("=")
        name = name.lstrip("+~").strip()
        problem = secret_problem(name, text) or _key_problem(name, text, allowed=allowed)
        if problem is None and typed.setdefault(name, text) != text:
            told = f"{name} is set twice, to {typed[name]} and to {text}."
            problem = Problem(told, "keep one of them.", name)
        if problem is not None:
            problems.append(problem)
            continue
        key = find_key(name)
        assert key is not None
        _set(values, name, _value(text, key=key))
    result, wrong = validate(values)
    problems += wrong
    if problems or result is None:
        raise as_error(problems)
    return result


def _key_problem(name: str, text: str, *, allowed: tuple[str, ...]) -> Problem | None:
    """What can be said of an override before its value is read."""
    key = find_key(name)
    inside = [each for each in config_keys() if each.startswith(f"{name}.")]
    if key is None and inside:
        return _group_problem(name, text, inside=inside, allowed=allowed)
    if key is None:
        return unknown_key(name, value=text)
    if not _may_change(name, allowed=allowed):
        return Problem(
            f"{name} cannot change in a run that has begun: it would be another run.",
            "leave it out, or start a run of its own with `ftdist train`.",
            name,
        )
    if not text:
        problem = f"{name}= has no value (a shell variable that is not set?)."
        return Problem(problem, f"write a value, or {name}=null for none.", name)
    if "${" in text:
        problem = f"{name} holds an interpolation (${{...}}), which could carry a secret."
        return Problem(problem, "write the value itself.", name)
    return None


def _group_problem(name: str, text: str, *, inside: list[str], allowed: tuple[str, ...]) -> Problem:
    """A group such as `tracking=off`, of which a run that has begun takes single keys."""
    open_keys = [each for each in inside if _may_change(each, allowed=allowed)]
    meant = [each for each in open_keys if text in config_keys()[each].choices]
    remedy = "leave it out."
    if open_keys:
        remedy = f"set its keys: {', '.join(open_keys)}."
    if meant:
        remedy = f"write {meant[0]}={text}."
    return Problem(
        f"{name}={text} chooses a group, and a run that has begun takes single keys.", remedy, name
    )


def _may_change(name: str, *, allowed: tuple[str, ...]) -> bool:
    return any(name == each or (each.endswith(".") and name.startswith(each)) for each in allowed)


def _value(text: str, *, key: ConfigKey) -> Any:
    """The value that was typed; YAML would read `off` as false and 007 as 7."""
    if key.nullable and text.lower() == "null":
        return None
    match key.kind:
        case "switch":
            return {"true": True, "false": False}.get(text.lower(), text)
        case "number":
            try:
                return float(text)
            except ValueError:
                return text
        case "texts" | "numbers":
            return _yaml(text, loader=yaml.BaseLoader)
        case "table":
            return _yaml(text, loader=yaml.SafeLoader)
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _yaml(text: str, *, loader: type[yaml.BaseLoader] | type[yaml.SafeLoader]) -> Any:
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError:
        return text


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        values = values[section]
    values[last] = value


def _library(config: RunConfig, before: Plan) -> LibraryFacts:
    """The packed library of the run; packed again where the cache was cleared."""
    if Path(before.library.path).is_dir():
        return before.library
    library = prepare_library(config)
    if library.key != before.library.key:
        raise DataError(
            f"The library in {config.library.path} is not the one that the run began with.",
            remedy="put the old one back, or start a run of its own with `ftdist train`.",
        )
    return library
