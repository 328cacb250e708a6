"""The `ftdist` command: dispatches to commands/, prints errors in two lines, sets exit codes."""

import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import FrameType

from ftdist import __version__
from ftdist.cli.doc_pages import with_page_paths
from ftdist.errors import INTERRUPTED, ConfigError, FtdistError, StorageError
from ftdist.io.progress import QUIET
from ftdist.text.terminal import plain

COMMAND_GROUPS = {
    "All in one": {
        "expert": "documents to a tuned model and its report: sources=[...] model=M run.name=R",
    },
    "Prepare": {
        "init": "lay out a project for your own config, libraries and runs: FOLDER",
        "doctor": "check cluster, storage and nodes; write conf/cluster/NAME.yaml: [--nodes N]",
        "curate": "build a library from documents and chats: library.name=L library.sources=[...]",
        "check": "check that model and library fit: model.path=M library.path=L [--json]",
        "plan": "estimate a run's steps, tokens, memory and disk; takes the keys of train",
        "explain": "explain a config key, and show where it is set: KEY [R | KEY=...] [--json]",
        "completion": "print the script that makes your shell complete: bash | zsh | fish",
    },
    "Train": {
        "train": "fine-tune a model on a library: model.path=M library.path=L run.name=R [KEY=...]",
        "submit": "submit a run to SLURM: cluster=slurm and the keys of train; -m: a sweep",
        "sweep": "search for the best values of keys: KEY=interval(A,B) [--trials N] [--score S]",
        "status": "show the state of runs, their jobs and attempts: [R]",
        "watch": "show a run live, or all runs that are not over: [R] [--once]",
        "logs": "show the logs of all ranks, merged by time: R [-f] [--rank N]",
        "cancel": "checkpoint and stop a run: R [--now]",
        "resume": "resume a run from its newest checkpoint: R [cluster.tasks_per_node=N ...]",
    },
    "Evaluate and use": {
        "export": "export the tuned model in Hugging Face format: R",
        "compare": "evaluate the base and the tuned model on the same questions: R",
        "merge": "interpolate base and tuned weights, evaluate, keep the best: R",
        "chat": "chat with the tuned model: R [-p PROMPT] [--base | --both]",
        "serve": "serve the tuned model: OpenAI-compatible endpoint and chat page: R",
        "report": "regenerate R/report/index.html: R",
        "push": "upload a library or an exported model to the Hugging Face Hub: L|R owner/name",
        "sync": "upload a run's metrics to Weights & Biases: R",
    },
}
"""Every command with its summary, in the order and under the headings of `ftdist --help`."""

COMMANDS = {name: text for group in COMMAND_GROUPS.values() for name, text in group.items()}


def help_text() -> str:
    """The output of `ftdist --help`."""
    width = max(map(len, COMMANDS))
    lines = []
    for heading, group in COMMAND_GROUPS.items():
        lines += [
            f"{heading}:",
            *(f"  ftdist {name:<{width}} {text}" for name, text in group.items()),
        ]
    commands = "\n".join(lines)
    return (
        "Full-parameter fine-tuning of a language model on a small library, with an evaluation of "
        f"what it learned.\n\n{commands}\n\n"
        "All config keys: `ftdist train --help`. With --quiet, only results, warnings and errors. "
        "A run of about a minute: `ftdist train experiment=tiny`.\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: after `ftdist`; this process's own by default.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _exit_on_signal)
    code = _run_reporting_errors(given)
    try:
        sys.stdout.flush()
    except OSError:
        _discard_stdout()
    return code


def _run_reporting_errors(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except FtdistError as error:
        return _print_error(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _print_error("Interrupted; no process is left running.", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone.
        _discard_stdout()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is None and error.errno == errno.EIO:
            _discard_stdout()  # the terminal was closed
            return 128 + signal.SIGHUP
        if error.errno not in _DISK_ERRORS:
            return _report_bug(error)
        path = "a file" if error.filename is None else str(error.filename)
        storage = StorageError(
            f"Cannot read or write {path}: {error.strerror}.",
            remedy="check its owner, its mode and the free disk space.",
        )
        return _print_error(str(storage), storage.exit_code)
    except SystemExit as error:  # --help, or SIGTERM
        return int(error.code or 0)
    except Exception as error:  # noqa: BLE001 - a bug: one line, and the traceback in a file
        return _report_bug(error)


_DISK_ERRORS = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO),
    *(errno.ESTALE, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENOLCK, errno.EFBIG),
)
"""Caused by a file or a disk rather than by a bug."""


def _report_bug(error: Exception) -> int:
    message = " ".join(str(error).split())[:300]
    return _print_error(
        f"Internal error: {type(error).__name__}: {message}\n"
        f"To fix: report this bug with {_save_traceback()}.",
        FtdistError.exit_code,
    )


def _discard_stdout() -> None:
    """Discard all further output, including what is flushed at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h") or arguments == ["help"]:
        sys.stdout.write(help_text())
        return 0
    if arguments[0] in ("--version", "version"):
        sys.stdout.write(f"ftdist {__version__}\n")
        return 0
    command, *rest = arguments
    if command == "help":
        command, rest = rest[0], ["--help"]
    if "--quiet" in rest:
        os.environ[QUIET] = "1"
        rest = [word for word in rest if word != "--quiet"]
    if command not in COMMANDS:
        from ftdist.cli.common import refuse_secrets

        refuse_secrets([command])
        if command.startswith("-"):
            flag = command.partition("=")[0]
            raise ConfigError(
                f"{flag} is not a flag of `ftdist`, which has --help and --version.",
                remedy="see `ftdist completion --help` for completion in a shell."
                if command in ("-sc", "--shell-completion")
                else "write a command first, such as `ftdist train ...`; see `ftdist --help`.",
            )
        near = get_close_matches(command, COMMANDS, n=3, cutoff=0.5)
        near.sort(key=lambda name: sorted(name) != sorted(command))  # swapped letters first
        if "=" in command:
            near = ["train"]
        raise ConfigError(
            f"Unknown command {command!r}.",
            remedy=f"write `ftdist {near[0]} ...`, or see `ftdist --help`."
            if near
            else "see `ftdist --help`.",
        )
    result = import_module(f"ftdist.cli.commands.{command}").main(rest)
    assert isinstance(result, int)
    return result


def _exit_on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler
    raise SystemExit(128 + number)


def _print_error(message: str, exit_code: int) -> int:
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.write(f"{plain(with_page_paths(message))}\n")
    return exit_code


def _save_traceback() -> Path:
    with tempfile.NamedTemporaryFile(
        "w", prefix="ftdist-traceback-", suffix=".txt", delete=False
    ) as file:
        traceback.print_exc(file=file)
    return Path(file.name)
