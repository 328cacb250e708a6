"""Compare the run in the storm with the one that was left alone."""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.storm.faults import Scene
from benchmarks.storm.results import Row, Strike, Whole, measure, whole
from ftdist.checkpoint.manifest import verify_folder
from ftdist.errors import FtdistError
from ftdist.io.jsonl import read_json_lines
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve, state_hash
from tests.support.slurm.cluster import ClusterWaitError
from tests.support.slurm.queued_runs import events, left_over


def judge(
    scene: Scene,
    calm: RunDir,
    strikes: Sequence[Strike],
    *,
    window: tuple[float, float],
    steps: int,
    **more: int,
) -> Whole:
    """The figures of a storm, its faults measured.

    Args:
        scene: of the run in the storm, which has ended.
        calm: the run that was left alone.
        strikes: what was done to the other one.
        window: when the storm began and ended.
        steps: of each run.
        **more: every, seed and nodes.
    """
    run, rows = scene.run, rows_of(scene.run)
    ends = [*(strike.at for strike in strikes[1:]), window[1]]
    for strike, until in zip(strikes, ends, strict=True):
        measure(strike, rows, until=until)
    return whole(
        strikes,
        rows,
        read_metrics(calm.metrics),
        window=window,
        minutes=(window[1] - window[0]) / 60,
        equal=is_equal(run, calm, steps=steps),
        orphans=count_orphans(scene),
        unnoticed=count_unnoticed(run, strikes),
        **more,
    )


def is_equal(run: RunDir, calm: RunDir, *, steps: int) -> bool:
    """Whether every step's figures and the final state are those of the undisturbed run."""
    ours, theirs = curve(run), curve(calm)
    differing = [
        n + 1 for n, pair in enumerate(zip(ours, theirs, strict=False)) if len({*pair}) > 1
    ]
    if len(ours) != steps or differing:
        say(f"{len(ours)} of {steps} steps on record; steps that differ: {differing[:10]}")
    if ours != theirs or not is_complete(run):
        return False
    return state_hash(run, step=steps) == state_hash(calm, step=steps)


def count_orphans(scene: Scene) -> int:
    """Processes on any node after the end of all jobs."""
    try:
        orphans = left_over(scene.login)
    except ClusterWaitError as error:
        say(str(error).partition("\n")[0])
        orphans = [each for node in scene.lab.nodes for each in scene.lab.processes(node)]
    for orphan in orphans:
        say(f"left over: {orphan}")
    return len(orphans)


def count_unnoticed(run: RunDir, strikes: Sequence[Strike]) -> int:
    """Rotten checkpoints from which an attempt started, and damaged ones that count as good."""
    starts = {(event["attempt"], event["step"]) for event in events(run, "training_started")}
    rotten = [strike for strike in strikes if strike.kind == "checkpoint rotten"]
    used = 0
    for strike in rotten:
        step = strike.detail.rpartition(" ")[2]
        flipped = step.isdigit() and not strike.detail.startswith("none")
        used += flipped and (strike.attempt + 1, int(step)) in starts
    for folder in run.checkpoints.glob("step-*"):
        if folder.name[5:].isdigit():
            try:
                verify_folder(folder)
            except FtdistError as error:
                say(str(error))
                used += 1
    return used


def rows_of(run: RunDir) -> list[Row]:
    """All lines of the metrics, repeated steps included."""
    lines: list[Any] = list(read_json_lines(run.metrics)) if run.metrics.exists() else []
    return [line for line in lines if isinstance(line, dict) and "time" in line and "step" in line]


def last_step(run: RunDir) -> int:
    """The highest step that was made so far."""
    return max((row["step"] for row in rows_of(run)), default=0)


def say(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def is_complete(run: RunDir) -> bool:
    """Whether the run has made all its steps."""
    return any(end["outcome"] == "done" for end in events(run, "attempt_finished"))
