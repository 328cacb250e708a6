"""Argument parsing and output shared by all commands."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from rich.table import Table

from ftdist.cli.doc_pages import with_page_paths
from ftdist.errors import ConfigError
from ftdist.io.progress import is_quiet
from ftdist.rundir import RUNS_ROOT, RunDir, find_run
from ftdist.text.terminal import plain, text_console


@dataclass(frozen=True, kw_only=True)
class RunArguments:
    """The parsed arguments of a command on one run."""

    run: RunDir
    overrides: list[str]
    """Arguments of the form key=value."""

    flags: argparse.Namespace


class CommandParser(argparse.ArgumentParser):
    """Parses the arguments of a command; an error is a ConfigError.

    Args:
        command: name of the command.
        description: what it does, for --help.
    """

    def __init__(self, command: str, *, description: str) -> None:
        super().__init__(
            prog=f"ftdist {command}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        refuse_secrets(message.split())
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            flag = unknown.split()[0].partition("=")[0]
            if not flag.startswith("-"):
                raise ConfigError(
                    f"`{self.prog}` does not take {flag!r}.", remedy=f"see `{self.prog} --help`."
                )
            message = f"{flag} is not a flag of `{self.prog}`"
            options = {option.lstrip("-"): option for option in self._option_string_actions}
            if near := get_close_matches(flag.lstrip("-"), options, n=1, cutoff=0.6):
                meant = options[near[0]]
                raise ConfigError(f"{message}: did you mean {meant}?", remedy=f"write {meant}.")
        missing = message.removeprefix("the following arguments are required: ")
        if missing != message:
            raise ConfigError(
                f"`{self.prog}` needs {' and '.join(missing.split(', '))}.",
                remedy=f"see `{self.prog} --help`.",
            )
        raise ConfigError(f"{message}.", remedy=f"see `{self.prog} --help`.")


class RunParser(CommandParser):
    """Parses `ftdist COMMAND RUN [key=value ...] [flags]`; an error is a ConfigError.

    Args:
        command: name of the command.
        description: what it does, for --help.
        takes_keys: whether it takes keys other than run.root.
        only_reads: whether it shows records alone, and the run may be another user's.
    """

    def __init__(
        self, command: str, *, description: str, takes_keys: bool = True, only_reads: bool = False
    ) -> None:
        super().__init__(command, description=description)
        self._takes_keys, self._only_reads = takes_keys, only_reads
        keys = "key=value" if takes_keys else "run.root=DIR"
        self.add_argument("run", nargs="?", help="name of the run, or its folder")
        self.add_argument("overrides", nargs="*", metavar=keys, help="config keys")

    def parse_run(self, arguments: Sequence[str]) -> RunArguments:
        """Parse arguments and find the run, in `runs` or in the folder that run.root names.

        Raises:
            ConfigError: an argument is wrong, or there is no such run.
            SystemExit: --help was printed.
        """
        flags = self.parse_intermixed_args(arguments)
        words = [word for word in (flags.run, *flags.overrides) if word is not None]
        names = [word for word in words if "=" not in word]
        overrides = [word for word in words if "=" in word]
        roots = [word.partition("=")[2] for word in overrides if word.startswith("run.root=")]
        overrides = [word for word in overrides if not word.startswith("run.root=")]
        refuse_secrets([*names, *roots])
        if len(names) != 1:
            raise _not_one_run(names, prog=self.prog)
        if overrides and not self._takes_keys:
            keys = ", ".join(word.partition("=")[0] for word in overrides)
            raise ConfigError(
                f"`{self.prog}` takes no keys, but got {keys}.",
                remedy=f"run `{self.prog} {names[0]}`.",
            )
        runs_root = Path(roots[-1]) if roots else RUNS_ROOT
        run = find_run(names[0], runs_root=runs_root, only_reads=self._only_reads)
        return RunArguments(run=run, overrides=overrides, flags=flags)


def refuse_secrets(arguments: Iterable[str]) -> None:
    """Refuse arguments that look like a key or password, before a message repeats them.

    Raises:
        ConfigError: one does.
    """
    from ftdist.config.problems import as_error, secret_problem  # --help needs no schema

    problems = []
    for argument in arguments:
        name, _, value = argument.lstrip("-").partition("=")
        problem = secret_problem(name, value) if value else None
        problems.append(problem or secret_problem("an argument", argument.lstrip("-")))
    found = [problem for problem in problems if problem is not None]
    if found:
        raise as_error(list(dict.fromkeys(found)))


def _not_one_run(names: Sequence[str], *, prog: str) -> ConfigError:
    """The error for no run, several runs, or a file without its key."""
    if not names:
        return ConfigError(f"`{prog}` needs a run.", remedy=f"name one: `{prog} R`.")
    files = [name for name in names[1:] if name.endswith((".jsonl", ".json"))]
    if prog == "ftdist compare" and len(names) == 2 and files:
        return ConfigError(
            f"{files[0]!r} is not of the form key=value.",
            remedy=f"write `{prog} {names[0]} eval.probes={files[0]}`.",
        )
    return ConfigError(
        f"`{prog}` takes one run, but got {len(names)} ({', '.join(names)}).",
        remedy=f"name one run: `{prog} {names[0]}`; write keys as key=value.",
    )


def log(message: str) -> None:
    """Print a message to stderr, ignoring a closed one; with --quiet, only a warning."""
    if not is_quiet() or message.startswith("Warning:"):
        report(message)


def report(message: str) -> None:
    """Print to stderr what went wrong or what to do next, also with --quiet."""
    with suppress(OSError):
        sys.stderr.write(f"{plain(with_page_paths(message))}\n")
        sys.stderr.flush()


def print_result(result: str) -> None:
    """Print a result to stdout, ignoring a closed one."""
    with suppress(OSError):
        sys.stdout.write(f"{plain(with_page_paths(result))}\n")
        sys.stdout.flush()


def print_json(fields: Mapping[str, Any]) -> None:
    """Print a result as one JSON object, for scripts."""
    print_result(json.dumps(fields, default=str))


def take_flag(flag: str, words: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether a flag such as --json is among the words of a command, and the other words."""
    return flag in words, [word for word in words if word != flag]


def print_plan(rows: Iterable[tuple[str, str]], *, title: str) -> None:
    """Print what a run takes as a table of two columns."""
    table = Table(title=title, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))
    text_console(soft_wrap=not sys.stdout.isatty()).print(table)


def print_table(table: Table) -> None:
    """Print a table; a file or a pipe has no width, so nothing is truncated there."""
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    text_console(width=240 if wide else None).print(table)


def answer_hydra(words: Sequence[str], *, command: str) -> bool:
    """Print what flags of Hydra, such as --help, ask for.

    Returns:
        Whether there are any.
    """
    from ftdist.config.hydra_flags import hydra_flags, run_hydra_flags  # `status` needs no Hydra
    from ftdist.config.sweep import is_sweep
    from ftdist.config.sweep_flags import run_sweep_flags

    if not hydra_flags(words):
        return False
    text = run_sweep_flags(words, verb=command) if is_sweep(words) else run_hydra_flags(words)
    print_result(text.removesuffix("\n").replace("ftdist train", f"ftdist {command}"))
    return True
