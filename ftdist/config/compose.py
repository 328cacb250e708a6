"""Compose a command line and `conf/` into a frozen RunConfig or CurateConfig.

Hydra stops at the first problem. Here every override is read and checked first, the valid ones
are composed, the result is validated, and one error reports all problems.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftdist.config.dashed_keys import refuse_dashed_keys
from ftdist.config.hydra_adapter import (
    CompositionError,
    changed_hydra_keys,
    compose_values,
    composed_files,
    open_hydra,
)
from ftdist.config.hydra_keys import SEARCH_PATH, hydra_key_problem
from ftdist.config.keys import CURATE, TRAIN, CommandSpec
from ftdist.config.overrides import Reading, read_overrides
from ftdist.config.problems import (
    Problem,
    UnresolvedError,
    as_error,
    reference_problem,
    secret_problem,
    unset_key,
)
from ftdist.config.schema import RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.config.search_path import (
    conf_dir,
    files_of_hydra_keys,
    own_folders,
    searchpath_folders,
    split_config_dir,
)
from ftdist.config.user_files import with_files
from ftdist.config.validation import validate
from ftdist.config.values import format_value
from ftdist.io.ownership import require_own

if TYPE_CHECKING:
    from ftdist.config.hydra_adapter import Hydra

MISSING = "???"


def compose(overrides: Sequence[str], *, name: str | None = None) -> RunConfig:
    """The run that a command line asks for.

    Args:
        overrides: `key=value`, `group=option`, `--config-dir DIR`; without the verb and its flags.
        name: of a run that is given none.

    Raises:
        ConfigError: all that is wrong with them, each problem with its remedy.
    """
    config: RunConfig = _compose(overrides, command=TRAIN, name=name)
    return config


def compose_curation(overrides: Sequence[str]) -> CurateConfig:
    """The library that a command line asks for.

    Raises:
        ConfigError: all that is wrong with it, each problem with its remedy.
    """
    config: CurateConfig = _compose(overrides, command=CURATE)
    return config


def _compose(words: Sequence[str], *, command: CommandSpec, name: str | None = None) -> Any:
    command, overrides = locate(words, command=command)
    with open_hydra(command.folders) as hydra:
        checked = check_overrides(overrides, hydra=hydra, command=command, name=name)
    if checked.config is None:
        raise as_error(checked.problems + checked.unset, command=command)
    return checked.config


def locate(
    words: Sequence[str], *, command: CommandSpec, shorthands: Mapping[str, str] | None = None
) -> tuple[CommandSpec, list[str]]:
    """The command with the folders of config that a command line adds, and its other words.

    Args:
        words: of the command line.
        command: whose they are.
        shorthands: further names of keys.

    Raises:
        ConfigError: a folder does not exist, or keys are written as flags.
    """
    rest, config_dir = split_config_dir(words)
    refuse_dashed_keys(rest, command=command, shorthands=shorthands or {})
    lines = [word for word in rest if word.lstrip("+").startswith(f"{SEARCH_PATH}=")]
    further = searchpath_folders(read_overrides(lines, command=command).search_path)
    folders = own_folders(config_dir=config_dir, further=further)
    return replace(command, folders=folders), rest


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A command line, composed and validated."""

    config: Any
    """None where there is any problem."""

    values: dict[str, Any]
    """As composed; empty where they cannot be."""

    lines: list[str]
    """The valid overrides in the form that Hydra composes."""

    problems: list[Problem]
    unset: list[Problem]
    """Keys that only the user can set, and did not."""


def check_overrides(
    overrides: Sequence[str], *, hydra: "Hydra", command: CommandSpec, name: str | None = None
) -> Checked:
    """Compose and validate what is sound, even where other overrides are not.

    Raises:
        ConfigError: another user may change a config file that takes part.
    """
    reading = read_overrides(overrides, command=command)
    reading.unset_other_lengths()
    lines = reading.lines()
    defaults = {} if name is None else {"run.name": name}
    try:
        values = compose_values(lines, hydra=hydra, command=command, defaults=defaults)
        of_files = _file_problems(values, reading, hydra=hydra, command=command)
    except UnresolvedError as error:
        problem = reference_problem(error.key, error.reason, error.reference, command=command)
        problems = [*reading.problems, problem]
        return Checked(config=None, values={}, lines=lines, problems=problems, unset=[])
    except CompositionError as error:
        problem = Problem(f"Hydra cannot compose this: {error}", "change what it names.")
        problems = [*reading.problems, problem]
        return Checked(config=None, values={}, lines=lines, problems=problems, unset=[])
    unset = set(_unset(values))
    is_sound = _soundness(reading, groups=command.groups)
    config, wrong = validate(values, command=command, is_sound=is_sound, is_new=True)
    wrong = [p for p in wrong if p.key not in unset | reading.meant]
    if wrong and command.folders:
        wrong = _with_files(wrong, reading, hydra=hydra, command=command)
    problems = reading.problems + of_files + wrong
    # an experiment that was mistyped might have set them
    reported = set() if "experiment" in reading.meant else unset - reading.meant
    return Checked(
        config=None if problems or unset else config,
        values=values,
        lines=lines,
        problems=problems,
        unset=[unset_key(key, command=command) for key in sorted(reported)],
    )


def _with_files(
    problems: list[Problem], reading: Reading, *, hydra: "Hydra", command: CommandSpec
) -> list[Problem]:
    """The problems of the user's own files with their files, after those of the command line."""
    typed = [p for p in problems if not p.name and p.key in reading.accepted]
    try:
        files = composed_files(reading.lines(), hydra=hydra, command=command)
    except CompositionError as error:
        return [Problem(str(error), "write it as `key: value` lines.")]
    return typed + with_files([p for p in problems if p not in typed], files=files)


def _file_problems(
    values: Mapping[str, Any], reading: Reading, *, hydra: "Hydra", command: CommandSpec
) -> list[Problem]:
    """What the user's own files may not set: secrets, and Hydra's own keys.

    Raises:
        ConfigError: another user may change one of them.
    """
    if not command.folders:
        return []
    for composed in composed_files(reading.lines(), hydra=hydra, command=command):
        folder = Path(composed.folder)
        if folder != conf_dir():
            file = folder / f"{composed.name}.yaml"
            require_own(file, what="The config file", within=folder)
    problems = []
    for name, value in _leaves(values):
        if name not in reading.accepted and isinstance(value, str | list):
            problems.append(secret_problem(name, format_value(value), command=command))
    files = files_of_hydra_keys(command.folders)
    if files:
        where = ", ".join(map(str, files))
        changed = changed_hydra_keys(reading.lines(), hydra=hydra, command=command)
        problems += [hydra_key_problem(key, where=where) for key in changed]
    return [problem for problem in problems if problem is not None]


def _soundness(reading: Reading, *, groups: Sequence[str]) -> Callable[[str], bool]:
    """A predicate: False for a key that a mistyped override was probably meant to set."""
    mistaken = reading.meant & set(groups)

    def is_sound(key: str) -> bool:
        if key in reading.meant:
            return False
        from_mistaken = "experiment" in mistaken or key.partition(".")[0] in mistaken
        return key in reading.accepted or not from_mistaken

    return is_sound


def _unset(values: Mapping[str, Any]) -> Iterator[str]:
    return (name for name, value in _leaves(values) if value == MISSING)


def _leaves(values: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
