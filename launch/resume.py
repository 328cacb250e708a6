"""What may change when a run goes on, and the plan that follows."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ftdist.config.compose import load_config
from ftdist.config.fields import find_key, nearest_key
from ftdist.config.plan import LibraryFacts, Plan, make_plan, read_model_facts
from ftdist.config.problems import as_error, validate
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, DataError, FtdistError
from ftdist.rundir import RunDir
from launch.preflight import (
    Machine,
    machine_notes,
    machine_problems,
    model_problems,
    raise_together,
)
from launch.start import Planned, Say, prepare_library, read_plan

MAY_CHANGE = (
    "cluster.",
    "tracking.",
    "checkpoint.",
    "train.evaluate_every_steps",
    "batch.allow_uneven",
)
"""Keys that leave what a run computes as it is."""


def replan(run: RunDir, overrides: Sequence[str], *, say: Say) -> Planned:
    """The config and plan of a run that goes on.

    Args:
        run: to go on with.
        overrides: of `MAY_CHANGE`.
        say: for sentences that a user should see.

    Raises:
        FtdistError: all that is wrong with the overrides, or keeps the run from going on.
    """
    before = read_plan(run)
    config = changed(load_config(run.config), overrides, allowed=MAY_CHANGE)
    machine = Machine.here()
    raise_together(
        [*model_problems(Path(config.model.path)), *machine_problems(config, machine=machine)]
    )
    for note in machine_notes(config, machine=machine):
        say(note)
    world_size = config.cluster.nodes * config.cluster.tasks_per_node
    if world_size != before.world_size:
        # Which sequences make a step stays; some ranks may get one less of them.
        config = dataclasses.replace(
            config, batch=dataclasses.replace(config.batch, allow_uneven=True)
        )
        say(f"Going on with {world_size} ranks instead of {before.world_size}.")
    plan = make_plan(
        config,
        model=read_model_facts(Path(config.model.path)),
        library=_library(config, before),
    )
    # What the run was asked to do stands: `steps` may not drift with a newer formula.
    plan = dataclasses.replace(plan, steps=before.steps, epochs=before.epochs, tokens=before.tokens)
    return Planned(config=config, plan=plan)


def changed(config: RunConfig, overrides: Sequence[str], *, allowed: tuple[str, ...]) -> RunConfig:
    """A run's config with other values for some keys.

    Args:
        config: of the run.
        overrides: KEY=VALUE, the value as in YAML.
        allowed: keys, or beginnings of keys that end in a dot.

    Raises:
        ConfigError: a key that there is not, or that may not change; a value that does not fit.
    """
    values = dataclasses.asdict(config)
    problems: list[FtdistError] = []
    for override in overrides:
        name, _, text = override.lstrip("+").partition("=")
        key = find_key(name)
        if key is None:
            near = nearest_key(name, groups=())
            problems.append(
                ConfigError(
                    f"{name} is not a key of the config.",
                    remedy=f"write {near}={text}." if near else "see `ftdist train --help`.",
                )
            )
        elif not any(name == each or name.startswith(each) for each in allowed):
            problems.append(
                ConfigError(
                    f"{name} cannot change in a run that has begun: it would be another run.",
                    remedy="leave it out, or start a run of its own with `ftdist train`.",
                )
            )
        else:
            _set(values, name, _value(text))
    raise_together(problems)
    result, wrong = validate(values)
    if result is None:
        raise as_error(wrong)
    return result


def _value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
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
