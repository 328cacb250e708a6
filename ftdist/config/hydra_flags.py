"""Flags of Hydra that print something: `--help`, `--cfg job`, `--info defaults` and their kin."""

import argparse
import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ftdist import __version__
from ftdist.config.compose import MISSING, check_overrides, locate
from ftdist.config.hydra_adapter import hydra_version, open_hydra
from ftdist.config.keys import TRAIN, CommandSpec, ConfigKey, config_keys, nearest
from ftdist.config.problems import as_error
from ftdist.config.validation import look_up
from ftdist.config.values import format_value
from ftdist.errors import ConfigError

if TYPE_CHECKING:
    from ftdist.config.hydra_adapter import Hydra

_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_PRINTING = frozenset(
    {"--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i", "--resolve"}
    | {"--package", "-p"}
)
_ROOT_REMEDY = (
    "put your values in conf/experiment/NAME.yaml, and write experiment=NAME; --config-dir=FOLDER "
    "adds a folder of config."
)
_REFUSED = {
    **dict.fromkeys(("--config-path", "-cp"), _ROOT_REMEDY),
    **dict.fromkeys(("--config-name", "-cn"), _ROOT_REMEDY),
    **dict.fromkeys(("--run", "-r"), "leave it out: without flags, the command runs."),
    **dict.fromkeys(
        ("--shell-completion", "-sc"), "see `ftdist completion --help` for completion in a shell."
    ),
    "--experimental-rerun": "write `ftdist resume R` to continue a run, or repeat the command.",
}
"""Flags of Hydra that ftdist does not take, each with the remedy."""


def hydra_flags(arguments: Sequence[str]) -> bool:
    """Whether a command line has flags of Hydra that print something, or are refused."""
    flags = {argument.split("=")[0] for argument in arguments if argument.startswith("-")}
    return bool(flags & (_PRINTING | _REFUSED.keys()))


def run_hydra_flags(arguments: Sequence[str], *, command: CommandSpec = TRAIN) -> str:
    """What the flags print.

    Args:
        arguments: of the command line, the verb removed.
        command: whose config it is.

    Raises:
        ConfigError: a flag or an override that cannot be used; keys may still be unset.
    """
    flags = parse_flags(arguments, command=command)
    command, _ = locate(arguments, command=command)
    if flags.version:
        return f"ftdist {__version__}, Hydra {hydra_version()}\n"
    if flags.hydra_help:
        return _hydra_help(command)
    overrides = [word for word in flags.overrides if "=" in word or word.startswith("~")]
    names = [word for word in flags.overrides if word not in overrides]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), open_hydra(command.folders) as hydra:
        typed = overrides if flags.help else flags.overrides
        checked = check_overrides(typed, hydra=hydra, command=command)
        if checked.problems:
            raise as_error(checked.problems, command=command)
        if flags.help:
            return _help_text(checked.values, command=command, names=names)
        _answer(hydra, flags, lines=checked.lines, command=command)
    return printed.getvalue()


def parse_flags(arguments: Sequence[str], *, command: CommandSpec = TRAIN) -> argparse.Namespace:
    """Hydra's flags and the overrides of a command line.

    Raises:
        ConfigError: a flag that ftdist does not take.
    """
    for argument in arguments:
        flag = argument.split("=")[0]
        if flag in _REFUSED:
            raise ConfigError(f"ftdist does not take Hydra's {flag}.", remedy=_REFUSED[flag])
    return _parser(command).parse_intermixed_args(list(arguments))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        remedy = f"see `{self.prog} --hydra-help`."
        raise ConfigError(f"These flags cannot be read: {message}.", remedy=remedy)


def _parser(command: CommandSpec) -> argparse.ArgumentParser:
    """A parser of the flags that ftdist takes from Hydra."""
    parser = _Parser(
        prog=f"ftdist {command.verb}",
        add_help=False,
        allow_abbrev=False,
        usage=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=28, width=80),
    )
    add = parser.add_argument
    add("overrides", nargs="*", metavar="KEY=VALUE", help="config keys and GROUP=OPTION")
    add("-h", "--help", action="store_true", help="groups and keys; with names of them, only these")
    add("--hydra-help", action="store_true", help="this text")
    add("--version", action="store_true", help="the versions of ftdist and Hydra")
    parts = ["job", "hydra", "all"]
    add("-c", "--cfg", metavar="PART", choices=parts, help="print a config: job, hydra or all")
    add("-p", "--package", metavar="SECTION", help="with --cfg: one section only")
    add("--resolve", action="store_true", help="with --cfg: ${...} replaced by their values")
    kinds = ", ".join(_INFO)
    add("-i", "--info", metavar="WHAT", nargs="?", const="all", choices=_INFO, help=kinds)
    add("-cd", "--config-dir", metavar="FOLDER", help="a folder of config, searched first")
    if command.verb == TRAIN.verb:
        add("-m", "--multirun", action="store_true", help="a run for each of KEY=A,B")
    return parser


def _hydra_help(command: CommandSpec) -> str:
    return (
        f"Flags of Hydra {hydra_version()} that `ftdist {command.verb}` takes:\n\n"
        f"{_parser(command).format_help().strip()}\n\n"
        "hydra.searchpath=[file://FOLDER] adds folders of config, searched after conf/ of the\n"
        "working directory. Other keys and groups of Hydra's own (hydra.*, hydra/*) have no\n"
        "effect in ftdist and are refused: docs/reference/hydra.md.\n"
    )


def _answer(hydra: "Hydra", flags: Any, *, lines: list[str], command: CommandSpec) -> None:
    """Let Hydra print what `--cfg` or `--info` asks for."""
    if flags.cfg:
        if flags.package is not None and flags.package not in _sections(command):
            raise _no_section(flags.package, command=command)
        hydra.show_cfg(command.verb, lines, flags.cfg, flags.package, flags.resolve)
    elif flags.info:
        hydra.show_info(flags.info, config_name=command.verb, overrides=lines)
    else:
        flag = "--package" if flags.package is not None else "--resolve"
        raise ConfigError(f"{flag} needs --cfg.", remedy=f"write --cfg job {flag} ...")


def _sections(command: CommandSpec) -> list[str]:
    """Every section of the config, and all its keys."""
    keys = [key for key in config_keys(command) if "*" not in key]
    parts = [key.split(".") for key in keys]
    names = {".".join(each[:depth]) for each in parts for depth in range(1, len(each))}
    return [*sorted(names), *keys, *command.groups, "_global_"]


def _no_section(name: str, *, command: CommandSpec) -> ConfigError:
    sections = _sections(command)
    meant = nearest(name, sections, cutoff=0.7)
    hint = f": did you mean {meant}?" if meant else "."
    tops = ", ".join(dict.fromkeys(each for each in sections if "." not in each and each[0] != "_"))
    return ConfigError(f"{name} is no section or key{hint}", remedy=f"name one of {tops}.")


def _help_text(values: Mapping[str, Any], *, command: CommandSpec, names: Sequence[str]) -> str:
    """Groups with their options, then every key with what fits it, its value and its meaning.

    Args:
        values: composed.
        command: whose keys they are.
        names: of the sections, groups and keys to show; all if empty.
    """
    for name in names:
        if name not in _sections(command):
            raise _no_section(name, command=command)
    groups = [
        f"  {group}: {', '.join(options)}"
        for group, options in command.options.items()
        if not names or group in names
    ]
    keys = [
        line
        for key in config_keys(command).values()
        if not names or any(f"{key.name}.".startswith(f"{name}.") for name in names)
        for line in _key_lines(key, look_up(values, key.name))
    ]
    if names:
        return "\n".join([*(["Groups:", *groups, ""] if groups else []), *keys, ""])
    usage = f"Usage: ftdist {command.verb} [group=option ...] [key=value ...]"
    suffixes = "(a whole number may be written 64k = 64000 or 64Ki = 65536)"
    sweeps = ", -m (a run for each of key=a,b)" if command.verb == TRAIN.verb else ""
    flags = f"--cfg job, --info defaults, --config-dir FOLDER{sweeps}; more: --hydra-help"
    some = f"Only a section or group: ftdist {command.verb} --help {command.groups[0]}"
    lines = [usage, some, "", "Groups:", *groups, "", f"Keys {suffixes}:", *keys, ""]
    return "\n".join([*lines, f"Hydra's own flags: {flags}", ""])


def _key_lines(key: ConfigKey, value: Any) -> list[str]:
    shown = "not set" if value == MISSING else format_value(value)
    default = "" if value is ... else f" [{shown}]"
    name = key.name.replace("*", "NAME")
    return [f"  {name}{default}: {key.fits}", f"      {key.meaning}"]
