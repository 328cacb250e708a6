"""Compose a command line and `conf/` into a frozen RunConfig or CurateConfig.

Hydra stops at the first problem. Here every override is read and checked first, the valid ones
are composed, the result is validated, and one error reports all problems.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftdist.config.hydra_adapter import (
    CompositionError,
    compose_values,
    flag_parser,
    open_hydra,
)
from ftdist.config.keys import CURATE, TRAIN, CommandSpec, config_keys
from ftdist.config.overrides import Reading, read_overrides
from ftdist.config.problems import Problem, as_error, unset_key
from ftdist.config.schema import RunConfig
from ftdist.config.schema.curate import CurateConfig
from ftdist.config.validation import look_up, validate
from ftdist.config.values import format_value
from ftdist.errors import ConfigError

if TYPE_CHECKING:
    from ftdist.config.hydra_adapter import Hydra

MISSING = "???"
_PRINTING_FLAGS = frozenset(
    {"--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i", "--resolve"}
    | {"--package", "-p"}
)
_REFUSED_FLAGS = frozenset(
    {"--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--run", "-r"}
    | {"--shell-completion", "-sc", "--experimental-rerun"}
)


def compose(overrides: Sequence[str], *, name: str | None = None) -> RunConfig:
    """The run that a command line asks for.

    Args:
        overrides: `key=value`, `group=option`; the verb and its flags have come off.
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


def _compose(overrides: Sequence[str], *, command: CommandSpec, name: str | None = None) -> Any:
    with open_hydra() as hydra:
        checked = check_overrides(overrides, hydra=hydra, command=command, name=name)
    if checked.config is None:
        raise as_error(checked.problems + checked.unset, command=command)
    return checked.config


def hydra_flags(arguments: Sequence[str]) -> bool:
    """Whether a command line has flags of Hydra that print something instead of running."""
    flags = {argument.split("=")[0] for argument in arguments if argument.startswith("-")}
    return bool(flags & (_PRINTING_FLAGS | _REFUSED_FLAGS))


def run_hydra_flags(arguments: Sequence[str], *, command: CommandSpec = TRAIN) -> str:
    """What `--help`, `--cfg job`, `--info defaults` and their kin print.

    Raises:
        ConfigError: a flag or an override that cannot be used; keys may still be unset.
    """
    refused = [a for a in arguments if a.split("=")[0] in _REFUSED_FLAGS]
    if refused:
        raise ConfigError(
            f"ftdist does not take Hydra's {refused[0]}.",
            remedy="leave it out; values live in conf/ and on the command line.",
        )
    printed, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaint):
        parser = flag_parser()
        try:
            flags = parser.parse_intermixed_args(list(arguments))
        except SystemExit as end:
            if end.code == 0:
                return printed.getvalue()
            reason = complaint.getvalue().strip().rsplit("error: ", maxsplit=1)[-1]
            raise ConfigError(
                f"These flags cannot be read: {reason}.", remedy="see `ftdist train --hydra-help`."
            ) from None
        with open_hydra() as hydra:
            if flags.help:
                values = compose_values([], hydra=hydra, command=command)
                return _help_text(values, command=command)
            if flags.hydra_help:
                hydra.hydra_help(command.verb, args_parser=parser, args=flags)
                return printed.getvalue()
            _answer(hydra, flags, command=command)
    return printed.getvalue()


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A command line, composed and validated."""

    config: Any
    """None where there is any problem."""

    lines: list[str]
    """The valid overrides in the form that Hydra composes."""

    problems: list[Problem]
    unset: list[Problem]
    """Keys that only the user can set, and did not."""


def check_overrides(
    overrides: Sequence[str], *, hydra: "Hydra", command: CommandSpec, name: str | None = None
) -> Checked:
    """Compose and validate what is sound, even where other overrides are not."""
    reading = read_overrides(overrides, command=command)
    reading.unset_other_lengths()
    lines = reading.lines()
    try:
        values = compose_values(lines, hydra=hydra, command=command)
    except CompositionError as error:
        problem = Problem(f"Hydra cannot compose this: {error}", "change what it names.")
        problems = [*reading.problems, problem]
        return Checked(config=None, lines=lines, problems=problems, unset=[])
    if name is not None and values["run"]["name"] == MISSING:
        values["run"]["name"] = name
    unset = set(_unset(values))
    is_sound = _soundness(reading, groups=command.groups)
    config, wrong = validate(values, command=command, is_sound=is_sound, is_new=True)
    problems = reading.problems + [p for p in wrong if p.key not in unset | reading.meant]
    # an experiment that was mistyped might have set them
    reported = set() if "experiment" in reading.meant else unset - reading.meant
    return Checked(
        config=None if problems or unset else config,
        lines=lines,
        problems=problems,
        unset=[unset_key(key, command=command) for key in sorted(reported)],
    )


def _soundness(reading: Reading, *, groups: Sequence[str]) -> Callable[[str], bool]:
    """A predicate: False for a key that a mistyped override was probably meant to set."""
    mistaken = reading.meant & set(groups)

    def is_sound(key: str) -> bool:
        if key in reading.meant:
            return False
        from_mistaken = "experiment" in mistaken or key.partition(".")[0] in mistaken
        return key in reading.accepted or not from_mistaken

    return is_sound


def _unset(values: Mapping[str, Any], *, prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _unset(value, prefix=f"{prefix}{name}.")
        elif value == MISSING:
            yield f"{prefix}{name}"


def _answer(hydra: "Hydra", flags: Any, *, command: CommandSpec) -> None:
    """Let Hydra print what `--cfg` or `--info` asks for, once the overrides are sound."""
    checked = check_overrides(flags.overrides, hydra=hydra, command=command)
    if checked.problems:
        raise as_error(checked.problems, command=command)
    if flags.cfg:
        hydra.show_cfg(command.verb, checked.lines, flags.cfg, flags.package, flags.resolve)
    else:
        hydra.show_info(flags.info or "all", config_name=command.verb, overrides=checked.lines)


def _help_text(values: Mapping[str, Any], *, command: CommandSpec) -> str:
    """Groups with their options, then every key with what fits it, its default and its meaning."""
    lines = [f"Usage: ftdist {command.verb} [group=option ...] [key=value ...]", "", "Groups:"]
    lines += [f"  {group}: {', '.join(options)}" for group, options in command.options.items()]
    lines += ["", "Keys (a whole number may be written 64k = 64000 or 64Ki = 65536):"]
    for key in config_keys(command).values():
        value = look_up(values, key.name)
        shown = "not set" if value == MISSING else format_value(value)
        default = "" if value is ... else f" [{shown}]"
        lines.append(f"  {key.name.replace('*', 'NAME')}{default}: {key.fits}")
        lines.append(f"      {key.meaning}")
    sweeps = ", -m (a run for each of key=a,b)" if command is TRAIN else ""
    flags = f"--cfg job, --info defaults{sweeps}, hydra.KEY=VALUE"
    return "\n".join([*lines, "", f"Hydra's own: {flags}", ""])
