"""The command `ftdist`: finds the verb, and turns errors into two lines and an exit code."""

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

from ftdist.errors import INTERRUPTED, ConfigError, FtdistError, StorageError

VERBS = {
    "curate": "make a library of documents and chats: library.name=L library.sources=[...]",
    "train": "fine-tune a model on a library: model.path=DIR library.path=DIR run.name=R [key=...]",
    "submit": "put such a run into a cluster's queue: cluster=slurm ... [--dry-run]; -m: a sweep",
    "plan": "what such a run would take, with the same keys; starts nothing",
    "status": "where runs stand, what they wait for, and how their attempts ended: [R]",
    "logs": "what all ranks of a run write, in order of time: R [-f] [--rank N]",
    "cancel": "have a run of a cluster save and end: R [--now]",
    "resume": "go on with a run: R [cluster.tasks_per_node=N ...]",
    "export": "write the tuned model of a run as a Hugging Face folder: R",
    "compare": "ask the base and the tuned model the same questions: R [eval.probes=FILE]",
    "merge": "measure models between base and tuned, and keep the best: R [merge.alphas=[...]]",
    "ask": "what the base and the tuned model answer: R QUESTION",
    "chat": "talk with the tuned model: R",
    "report": "write the page that shows it all, R/report/index.html, anew: R",
    "sync": "bring a run's measurements to Weights & Biases, from where there is a network: R",
}


def help_text() -> str:
    """What `ftdist` and `ftdist --help` print."""
    verbs = "\n".join(f"  ftdist {verb:<8} {meaning}" for verb, meaning in VERBS.items())
    return (
        "ftdist fine-tunes all parameters of a language model on a small library, and shows what "
        f"it learned.\n\n{verbs}\n\n"
        "Keys and their meaning: `ftdist train --help`. "
        "A run in about a minute: `ftdist train experiment=tiny`.\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words after `ftdist`; those of this process by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _end)
    code = _answer(words)
    try:
        sys.stdout.flush()
    except OSError:
        _forget_stdout()
    return code


def _answer(words: list[str]) -> int:
    try:
        return _run(words)
    except FtdistError as error:
        return _tell(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _tell("Interrupted; nothing was started that still runs.", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our words has gone; there is nobody left to tell.
        _forget_stdout()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is None and error.errno == errno.EIO:
            _forget_stdout()  # the terminal was closed
            return 128 + signal.SIGHUP
        if error.errno not in _OF_THE_DISK:
            return _tell_mistake(error)
        named = "A file" if error.filename is None else str(error.filename)
        refused = StorageError(
            f"{named} cannot be read or written: {error.strerror}.",
            remedy="check its owner and mode, and the room on its disk.",
        )
        return _tell(str(refused), refused.exit_code)
    except Exception as error:  # noqa: BLE001 - our own mistake: one line, and the rest in a file
        return _tell_mistake(error)


_OF_THE_DISK = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO),
    *(errno.ESTALE, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENOLCK, errno.EFBIG),
)
"""What a user can mend, or the disk has done: not our own mistake."""


def _tell_mistake(error: Exception) -> int:
    words = " ".join(str(error).split())[:300]
    return _tell(
        f"ftdist made a mistake: {type(error).__name__}: {words}\n"
        f"To fix: report it with {_keep_traceback()}.",
        FtdistError.exit_code,
    )


def _forget_stdout() -> None:
    """Let what is written from now on, also at the interpreter's end, go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        sys.stdout.write(help_text())
        return 0
    if words[0] == "--version":
        from ftdist import __version__

        sys.stdout.write(f"ftdist {__version__}\n")
        return 0
    verb, *rest = words
    if verb not in VERBS:
        _refuse_a_secret(verb)
        near = get_close_matches(verb, VERBS, n=1, cutoff=0.5)
        if "=" in verb:
            near = ["train"]
        raise ConfigError(
            f"ftdist has no command {verb!r}.",
            remedy=f"write `ftdist {near[0]} ...`, or see `ftdist --help`."
            if near
            else f"use one of {', '.join(VERBS)}.",
        )
    result = import_module(f"ftdist.cli.commands.{verb}").main(rest)
    assert isinstance(result, int)
    return result


def _refuse_a_secret(word: str) -> None:
    """What looks like a key or password is not repeated."""
    from ftdist.config.validation import as_error, secret_problem

    name, _, value = word.partition("=")
    problem = secret_problem(name, value) or secret_problem("an argument", word)
    if problem is not None:
        raise as_error([problem])


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's shape
    raise SystemExit(128 + number)


def _tell(words: str, exit_code: int) -> int:
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.write(f"{words}\n")
    return exit_code


def _keep_traceback() -> Path:
    with tempfile.NamedTemporaryFile(
        "w", prefix="ftdist-traceback-", suffix=".txt", delete=False
    ) as file:
        traceback.print_exc(file=file)
    return Path(file.name)
