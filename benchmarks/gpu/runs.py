"""Runs of ftdist by its public commands, to their end or for a few steps."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import CHECKOUT
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir

Row = dict[str, Any]


class PhaseError(Exception):
    """A command of a phase failed."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where runs are made, and on what."""

    work: Path
    device: str
    """cpu in a rehearsal, else cuda."""

    threads: int


def ftdist(machine: Machine, *words: str, timeout_s: float) -> str:
    """What `ftdist WORDS` prints on standard output.

    Raises:
        PhaseError: it failed, or did not end in time.
    """
    process, log = _start(machine, words)
    try:
        process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        raise PhaseError(f"ftdist {words[0]} did not end in {timeout_s:.0f} s") from None
    if process.returncode:
        raise PhaseError(f"ftdist {words[0]}: exit code {process.returncode}\n{_tail(log)}")
    return log.with_suffix(".out").read_text(encoding="utf-8", errors="replace")


def overrides(
    machine: Machine, name: str, *, model: Path, library: Path, more: Sequence[str] = ()
) -> list[str]:
    """The command line of a run on one GPU (or, in a rehearsal, on CPUs)."""
    return [
        f"run.name={name}",
        f"run.root={machine.work / 'runs'}",
        f"model.path={model}",
        f"library.path={library}",
        f"library.cache_dir={machine.work / 'cache'}",
        "library.held_out_fraction=0",
        "eval.loss_every_steps=0",
        "checkpoint.every_steps=0",
        "checkpoint.keep_latest=1",
        "tracking=off",
        "cluster.tasks_per_node=1",
        f"cluster.cpus_per_task={machine.threads}",
        f"cluster.device={machine.device}",
        *more,
    ]


def train(machine: Machine, words: Sequence[str], *, timeout_s: float) -> list[Row]:
    """Train to the end; the metrics of its steps."""
    ftdist(machine, "train", *words, timeout_s=timeout_s)
    return list(read_metrics(run_of(words).metrics))


def train_until(
    machine: Machine, words: Sequence[str], *, steps: int, timeout_s: float
) -> list[Row]:
    """Train until so many steps are recorded, then kill the run; the metrics of its steps.

    Raises:
        PhaseError: it ended before, or took too long.
    """
    run = run_of(words)
    process, log = _start(machine, ["train", *words])
    end = time.monotonic() + timeout_s
    try:
        while len(rows := _rows(run)) < steps:
            if process.poll() is not None:
                raise PhaseError(f"{run.name} ended after {len(rows)} steps\n{_tail(log)}")
            if time.monotonic() > end:
                raise PhaseError(f"{run.name}: {len(rows)} of {steps} steps in {timeout_s:.0f} s")
            time.sleep(0.1)
    finally:
        _kill(process)
    return rows


def plan(machine: Machine, words: Sequence[str], *, timeout_s: float = 120) -> dict[str, Any]:
    """The plan of a run."""
    text = ftdist(machine, "plan", *words, "--json", timeout_s=timeout_s)
    found: dict[str, Any] = json.loads(text)
    return found


def run_of(words: Sequence[str]) -> RunDir:
    """The run that a command line names."""
    values = dict(word.partition("=")[::2] for word in words)
    return RunDir(Path(values["run.root"]) / values["run.name"])


def _rows(run: RunDir) -> list[Row]:
    return list(read_metrics(run.metrics)) if run.metrics.is_file() else []


def _start(machine: Machine, words: Sequence[str]) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a command; its process, and the log of its standard error."""
    logs = machine.work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{len(list(logs.iterdir())) // 2:02d}-{words[0]}.err"
    with log.open("wb") as err, log.with_suffix(".out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ftdist", *words],
            cwd=CHECKOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    return process, log


def _tail(log: Path) -> str:
    texts = [path.read_text(errors="replace")[-1500:] for path in (log.with_suffix(".out"), log)]
    return "\n".join(texts)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command and the ranks that it started."""
    import psutil

    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=20)
