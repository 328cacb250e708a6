"""ftdist itself, by its public command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import MemorySampler, Outcome, Step
from benchmarks.peers import CHECKOUT, TIMEOUT_S, BenchmarkError, clean_environment
from ftdist.io.jsonl import read_json_lines
from ftdist.observe import metrics
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir

RUN = "bench"


def overrides(*, model: Path, library: Path, steps: int, folder: Path) -> list[str]:
    """The command line: small enough for two cores, every row trained on, nothing tracked."""
    return [
        f"run.name={RUN}",
        f"run.root={folder / 'runs'}",
        f"model.path={model}",
        "model.dtype=float32",
        "model.activation_checkpointing=none",
        "engine=zero3",  # the peers have the same sizes
        "batch.micro_batch_size=1",
        f"library.path={library}",
        # A fresh cache each time: reading and packing the library counts to the first step.
        f"library.cache_dir={folder / 'libraries'}",
        "library.held_out_fraction=0",
        "train.epochs=null",
        f"train.steps={steps}",
        "eval.loss_every_steps=0",
        "optim.peak_lr=2e-4",
        "optim.weight_decay=0",
        "batch.tokens=1024",
        "batch.sequence_length=512",
        "checkpoint.every_steps=0",
        "checkpoint.keep_latest=1",
        "tracking=off",
        "cluster.tasks_per_node=2",
        "cluster.device=cpu",
    ]


def run_ours(name: str, *, words: list[str], folder: Path) -> Outcome:
    """Run `ftdist train` with these overrides to its end.

    Raises:
        BenchmarkError: it failed, or did not end in an hour.
    """
    folder.mkdir(parents=True)
    run = RunDir(folder / "runs" / RUN)
    load_before = os.getloadavg()[0]
    launched = time.time()
    with (folder / "ftdist.log").open("wb") as log, MemorySampler(lambda: _ranks(run)) as sampler:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "ftdist", "train", *words],
            cwd=CHECKOUT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            code = launcher.wait(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            launcher.send_signal(signal.SIGTERM)
            code = launcher.wait()
    if code:
        output = (folder / "ftdist.log").read_text(errors="replace")[-2000:]
        raise BenchmarkError(f"{name}: exit code {code}.\n{output}")
    steps = tuple(
        Step(
            step=row["step"],
            time=row[metrics.TIME.name],
            tokens=row[metrics.TOKENS.name],
            loss_tokens=row[metrics.LOSS_TOKENS.name],
            loss=row[metrics.LOSS.name],
        )
        for row in read_metrics(run.metrics)
    )
    return Outcome(
        name=name,
        launched=launched,
        ranks_started=max(sampler.started.values()),
        steps=steps,
        peaks_gib=sampler.peaks_gib(until=steps[-1].time),
        cpu_step_s=sampler.cpu_step_s(steps),
        load_before=load_before,
    )


def _ranks(run: RunDir) -> Iterator[int]:
    """Processes of the ranks that have said that they started."""
    for path in sorted(run.attempt(1).glob("ranks-*.jsonl")):
        yield from (row["pid"] for row in read_json_lines(path) if row["event"] == "start")
