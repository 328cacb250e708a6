"""Work that loads heavy packages is done by a child process; its answer comes back as JSON."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftdist.errors import ConfigError, FtdistError, StorageError
from ftdist.observe.wandb.api import WandbError
from ftdist_launch.local.submit import CHECKOUT, IMPORT_PATHS, visible_gpus

ENDING_S = 5.0
"""How long a child has to end once the parent was told to."""

KIND_OF_CODE = {
    kind.exit_code: kind for kind in (StorageError, ConfigError, WandbError, FtdistError)
}


def run_child(module: str, arguments: Sequence[str]) -> None:
    """Run `python -m MODULE ARGUMENTS...`, its words on our stderr.

    Raises:
        FtdistError: it ended with an exit code other than 0; the error says no more than that.
    """
    # In a session of its own: Ctrl-C comes to us alone, and we end it.
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=sys.stderr.fileno(),
        env=_environment(),
        start_new_session=True,
    )
    code = _ended(child)
    if code == -signal.SIGKILL:
        raise FtdistError(
            f"`python -m {module}` was killed.",
            remedy="give it more memory if that ran out (`dmesg` tells); the same command goes on.",
        )
    if code:
        raise FtdistError(
            f"`python -m {module}` ended with exit code {code} and did not say why.",
            remedy="read what it wrote above; if it is no help, this is a mistake of ftdist's own.",
        )


def run_interactive(module: str, arguments: Sequence[str]) -> int:
    """Run `python -m MODULE ARGUMENTS...` on our own stdin, stdout and stderr; its exit code.

    Ctrl-C is the child's to answer: the terminal sends it to both, and we go on waiting.
    """
    sys.stdout.flush()
    child = subprocess.Popen([sys.executable, "-m", module, *arguments], env=_environment())
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = _ended(child)
    finally:
        signal.signal(signal.SIGINT, before)
    # As a shell tells of a child that a signal ended.
    return code if code >= 0 else 128 - code


def _environment() -> dict[str, str]:
    environment = os.environ | {"PYTHONSAFEPATH": "1"}
    if not visible_gpus():
        # DeepSpeed, which transformers loads, would warn that it looked for a GPU in vain.
        environment["DS_ACCELERATOR"] = "cpu"
    if not CHECKOUT.name.endswith("-packages"):
        before = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (*IMPORT_PATHS, before)))
    return environment


def _ended(child: "subprocess.Popen[bytes]") -> int:
    """Wait for a child, and take it along if we are told to end."""
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=ENDING_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def call_child(
    module: str, arguments: Sequence[str], *, kind: type[FtdistError] | None = None
) -> dict[str, Any]:
    """Run `python -m MODULE ARGUMENTS... OUT.json` and read what it wrote.

    Args:
        module: answers by writing a JSON object, on an error one with `problem`, `remedy` and
            `exit_code`.
        arguments: before the path of the answer.
        kind: class of an error that comes back; by default it is chosen by exit code.

    Raises:
        FtdistError: what the child said, or that it ended without a word.
    """
    with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
        answer = Path(folder) / "answer.json"
        silent: FtdistError | None = None
        try:
            run_child(module, [*arguments, str(answer)])
        except FtdistError as error:
            silent = error
        if not answer.exists():
            raise silent or FtdistError(
                f"`python -m {module}` ended without an answer.",
                remedy="run the command once more; if it stays so, this is ftdist's own mistake.",
            )
        fields: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    if "problem" in fields:
        chosen = kind or KIND_OF_CODE.get(fields["exit_code"], FtdistError)
        raise chosen(fields["problem"], remedy=fields["remedy"])
    return fields
