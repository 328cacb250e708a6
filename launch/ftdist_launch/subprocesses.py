"""Run work that imports heavy packages in a child process; the result comes back as JSON."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftdist.dist.visible_gpus import visible_gpus
from ftdist.errors import ConfigError, FtdistError, StorageError
from ftdist.io import child_process
from ftdist.io.progress import is_quiet
from ftdist.observe.wandb.api import WandbError
from ftdist_launch.local.processes import handled
from ftdist_launch.local.submit import import_path, is_launcher_variable

TERMINATE_S = 5.0
"""How long a terminated child may take to exit before it is killed."""

KIND_OF_CODE = {
    kind.exit_code: kind for kind in (StorageError, ConfigError, WandbError, FtdistError)
}


def run_child(module: str, arguments: Sequence[str]) -> None:
    """Run `python -m MODULE ARGUMENTS...` with its output on our stderr.

    Raises:
        FtdistError: it failed; only its exit code is known.
    """
    quiet = is_quiet()
    with tempfile.TemporaryFile() as hidden:
        output = hidden.fileno() if quiet else sys.stderr.fileno()
        # In its own session: Ctrl-C reaches only this process, which terminates the child.
        child = subprocess.Popen(
            child_process.command(module, arguments),
            stdout=output,
            stderr=output if quiet else None,
            env=environment(),
            start_new_session=True,
        )
        code = _wait(child)
        if code and quiet:
            hidden.seek(0)
            sys.stderr.write(hidden.read().decode(errors="replace"))
    if code == -signal.SIGKILL:
        raise FtdistError(
            f"`python -m {module}` was killed.",
            remedy="if memory ran out (see `dmesg`), provide more; then run the command again.",
        )
    if code < 0:
        raise FtdistError(
            f"`python -m {module}` was ended by signal {-code} ({signal.strsignal(-code)}).",
            remedy="run the command again; if that does not help, report a bug in ftdist.",
        )
    if code:
        raise FtdistError(
            f"`python -m {module}` failed with exit code {code} and no error report.",
            remedy="read its output above; if that does not help, report a bug in ftdist.",
        )


def run_interactive(module: str, arguments: Sequence[str]) -> int:
    """Run `python -m MODULE ARGUMENTS...` in our terminal, and return its exit code.

    The child handles Ctrl-C, which the terminal sends to both; this process ignores it.
    """
    sys.stdout.flush()
    child = subprocess.Popen(child_process.command(module, arguments), env=environment())
    with handled(signal.SIG_IGN, signal.SIGINT):
        code = _wait(child)
    # As a shell reports a child that was killed by a signal.
    return code if code >= 0 else 128 - code


def environment() -> dict[str, str]:
    """The environment of a child: without launcher variables, with our import path."""
    inherited = {n: value for n, value in os.environ.items() if not is_launcher_variable(n)}
    environment = inherited | import_path() | {"PYTHONSAFEPATH": "1"}
    if not visible_gpus():
        # Else DeepSpeed, which transformers imports, warns that it found no GPU.
        environment["DS_ACCELERATOR"] = "cpu"
    return environment


def _wait(child: "subprocess.Popen[bytes]") -> int:
    """Wait for a child; if this process is interrupted, terminate it."""
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=TERMINATE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def call_child(module: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run `python -m MODULE ARGUMENTS... OUT.json` and return the JSON object that it wrote.

    Args:
        module: writes a JSON object, on an error one with `problem`, `remedy` and `exit_code`.
        arguments: before the path of that file.

    Raises:
        FtdistError: the error of the child, or it failed without one.
    """
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        result = Path(folder) / "result.json"
        try:
            run_child(module, [*arguments, str(result)])
        except FtdistError:
            if not result.exists():
                raise
        fields: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    if "problem" in fields:
        kind = KIND_OF_CODE.get(fields["exit_code"], FtdistError)
        raise kind(fields["problem"], remedy=fields["remedy"])
    return fields
