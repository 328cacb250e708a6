"""Run `ftdist expert` for a library and a seed: the product's command, nothing set by library."""

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ftdist_launch.expert.stages import read_stages

from benchmarks.recipe.libraries import Library, documents
from benchmarks.recipe.questions import all_questions, write_probes
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir

MAX_SILENCE_S = 30.0
"""After so long without a line the runner says that it still runs."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the command needs of this machine and of no library.

    Attributes:
        model: folder of the base model.
        dtype: `model.dtype`.
        ranks: `cluster.tasks_per_node`.
        device: `cluster.device`.
        overrides: further keys, for all libraries alike.
    """

    model: Path
    dtype: str
    ranks: int
    device: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """One library with one seed.

    Attributes:
        root: folder of everything that the bench keeps; the command runs in it.
    """

    library: Library
    seed: int
    root: Path

    @property
    def name(self) -> str:
        """Of the run, and of the library that it curates."""
        return f"{self.library.name}-{self.seed}"

    @property
    def folder(self) -> RunDir:
        """Where `ftdist expert` keeps it."""
        return RunDir(self.root / "runs" / self.name)

    @property
    def probes(self) -> Path:
        """The questions with their evidence."""
        return self.root / "probes" / f"{self.library.name}.jsonl"

    @property
    def is_complete(self) -> bool:
        """Whether every stage is done."""
        stages = read_stages(self.folder) if self.folder.exists() else ()
        has_scores = (self.folder.report / "scores.json").is_file()
        return has_scores and all(stage.state in ("done", "skipped") for stage in stages)

    def words(self, machine: Machine) -> list[str]:
        """The words of the command after `ftdist`."""
        folder = self.root / "documents" / self.library.name
        return [
            "expert",
            f"sources=[{self.library.name}={folder}]",
            f"model={machine.model}",
            f"run.name={self.name}",
            f"run.seed={self.seed}",
            f"eval.extra_probes={self.probes}",
            f"model.dtype={machine.dtype}",
            f"cluster.tasks_per_node={machine.ranks}",
            f"cluster.device={machine.device}",
            *machine.overrides,
        ]

    def check_words(self, machine: Machine) -> None:
        """Refuse to go on with a run that was started with other keys.

        Raises:
            ConfigError: it was.
        """
        if not self.folder.overrides.is_file():
            return
        started = set(self.folder.overrides.read_text(encoding="utf-8").splitlines())
        differ = sorted(started ^ set(self.words(machine)[1:]))
        if differ:
            raise ConfigError(
                f"{self.name} was started with other keys: {', '.join(differ)}.",
                remedy="give these runs a folder of their own with --root.",
            )

    def command(self, machine: Machine) -> str:
        """The command as one would type it."""
        return shlex.join(["ftdist", *self.words(machine)])

    def write_inputs(self) -> None:
        """Write documents and questions, if they are not there or changed.

        Raises:
            FetchError: a package of documents cannot be had.
            LookupError: a question names a place that the documents do not have.
        """
        folder = documents(self.library, root=self.root)
        write_probes(all_questions(self.library.name, folder=folder), self.probes)

    def start(self, machine: Machine) -> int:
        """Run the command to its end; run again, it continues.

        Returns:
            Its exit code.
        """
        log = self.root / "logs" / f"{self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "ftdist", *self.words(machine)]
        with log.open("a", encoding="utf-8") as file:
            return follow(words, cwd=self.root, name=self.name, outputs=(sys.stdout, file))


def follow(
    words: Sequence[str],
    *,
    cwd: Path,
    name: str,
    outputs: Sequence[TextIO],
    max_silence_s: float = MAX_SILENCE_S,
) -> int:
    """Run a command, copy its lines as they come, and speak up when it is silent.

    Args:
        words: of the command.
        cwd: its working directory.
        name: of the run, in front of what the runner itself says.
        outputs: where the lines go.
        max_silence_s: seconds without a line, after which the runner says how long it has run.

    Returns:
        The exit code.
    """
    checkout = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, [str(checkout), os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        words,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    started = said = time.monotonic()
    ended = threading.Event()

    def speak() -> None:
        while not ended.wait(min(1.0, max_silence_s / 4)):
            now = time.monotonic()
            if now - said >= max_silence_s:
                tell(f"{name}: running for {(now - started) / 60:.1f} minutes")

    def tell(line: str) -> None:
        nonlocal said
        said = time.monotonic()
        for output in outputs:
            output.write(f"{line}\n")
            output.flush()

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        for line in process.stdout or ():
            tell(line.rstrip("\n"))
        return process.wait()
    finally:
        ended.set()
        speaker.join()
        if process.poll() is None:
            process.terminate()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
