"""Where the value of a config key comes from: a file of a config folder, or the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.config.compose import locate
from ftdist.config.hydra_adapter import CompositionError, composed_files, open_hydra
from ftdist.config.keys import CommandSpec
from ftdist.config.overrides import read_overrides
from ftdist.config.problems import as_error
from ftdist.config.search_path import conf_dir
from ftdist.config.user_files import shown
from ftdist.config.validation import look_up
from ftdist.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One place that sets a key."""

    value: Any
    origin: str
    """A file, or the override as typed."""


def settings_of(name: str, overrides: Sequence[str], *, command: CommandSpec) -> list[Setting]:
    """Every place that sets a key, in the order of composition: the last one holds.

    Args:
        name: a key of the command.
        overrides: of a command line.
        command: whose config is composed.

    Raises:
        ConfigError: an override is wrong.
        CompositionError: Hydra cannot compose them.
    """
    command, words = locate(overrides, command=command)
    reading = read_overrides(words, command=command)
    if reading.problems:
        raise as_error(reading.problems, command=command)
    accepted, lines = reading.accepted, reading.lines()
    with open_hydra(command.folders) as hydra:
        files = composed_files(lines, hydra=hydra, command=command)
    found = [
        Setting(value=value, origin=_shown(Path(file.folder) / f"{file.name}.yaml"))
        for file in files
        if (value := look_up(file.sections, name)) is not ...
    ]
    if name in accepted:
        parsed = accepted[name]
        found.append(Setting(value=parsed.value, origin=f"the command line ({parsed.line})"))
    return found


def user_files(words: Sequence[str], *, command: CommandSpec) -> list[str]:
    """The user's own config files that take part in a composition.

    Each that replaces one of ftdist's says so. Empty where the words cannot be composed: composing
    them reports why.

    Args:
        words: of a command line; without `--config-dir` where the command has its folders.
        command: whose config is composed.
    """
    try:
        if command.folders is None:
            command, words = locate(words, command=command)
        if not command.folders:
            return []
        lines = read_overrides(words, command=command).lines()
        with open_hydra(command.folders) as hydra:
            files = composed_files(lines, hydra=hydra, command=command)
    except (ConfigError, CompositionError):
        return []
    return [
        f"{shown(file)} (in place of ftdist's)"
        if (conf_dir() / f"{file.name}.yaml").is_file()
        else shown(file)
        for file in files
        if Path(file.folder) != conf_dir()
    ]


def _shown(path: Path) -> str:
    """The file, from the current folder where it is below it; ftdist's own as `conf/...`."""
    if path.is_relative_to(conf_dir()):
        return f"ftdist's conf/{path.relative_to(conf_dir())}"
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
