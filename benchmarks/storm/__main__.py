"""`python -m benchmarks.storm`: faults in random order over one run on a SLURM of this machine.

Run it as root and alone on the machine. Two runs are made on the same cluster, one left alone and
one in the storm, and compared step by step.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.storm.faults import FAULTS, NothingToStrikeError, Scene
from benchmarks.storm.results import Row, Strike, Whole, markdown, measure, to_json, whole
from ftdist.checkpoint.manifest import verify_folder
from ftdist.errors import FtdistError
from ftdist.io.jsonl import read_json_lines
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve, state_hash
from tests.support.slurm.cluster import ENDED, Login, SlurmLab, logged_in
from tests.support.slurm.queued_runs import events, left_over, submit
from tests.support.tiers import missing_cluster

RESULTS = Path(__file__).parent / "results"
NODES = 4
DISK_MIB = 400
SAVE_EVERY_STEPS = 20
RECOVERY_S = 300.0
"""Seconds after which a run that has made no new step counts as lost."""

KEYS = (
    f"cluster.nodes={NODES}",
    f"checkpoint.every_steps={SAVE_EVERY_STEPS}",
    "batch.tokens=2048",
    "cluster.signal_delay_s=60",
    "cluster.step_timeout_s=15",
    "cluster.collective_timeout_s=60",
    "cluster.init_timeout_s=120",
)


def main(arguments: Sequence[str]) -> int:
    """Run one storm, print its table and write it.

    Returns:
        0 if the run survived all faults by itself and nothing was lost, else 1.
    """
    asked = _parse(arguments)
    if reason := missing_cluster():
        print(f"No cluster can be started here: {reason}", file=sys.stderr)
        return 78
    os.environ.update(HF_HUB_OFFLINE="1", DO_NOT_TRACK="1")
    folder = Path(tempfile.mkdtemp(prefix="ftdist-storm-", dir="/tmp"))
    with small_disk(folder / "runs"), SlurmLab.running(nodes=NODES) as lab:
        ingredients = make_ingredients(folder)
        with logged_in(lab, folder) as login:
            result, strikes = _storm(asked, lab, login, ingredients)
    values = to_json(result, strikes)
    asked.results.mkdir(parents=True, exist_ok=True)
    path = asked.results / f"seed-{asked.seed}.json"
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(f"\n{markdown(values)}\nwrote {path}", flush=True)
    well = result.equal and not result.orphans and not result.unnoticed
    return int(not (well and result.survived == result.faults))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults (1)")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the storm (10)")
    parser.add_argument("--every", type=float, default=20.0, help="mean seconds of calm (20)")
    parser.add_argument("--steps", type=int, help="steps of the run (150 per minute)")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS), help="kinds")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON file")
    asked = parser.parse_args(arguments)
    asked.steps = asked.steps or round(150 * asked.minutes)
    return asked


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of its own for the runs, so that it can be filled; nodes that boot later see it."""
    folder.mkdir()
    image = folder.with_suffix(".ext4")
    with image.open("wb") as file:
        file.truncate(DISK_MIB << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def make_ingredients(folder: Path) -> Path:
    """A tiny model with its tokenizer, and a library."""
    from tests.support.models.tiny_models import save_tiny_model
    from tests.support.runs.tiny_runs import write_library, write_tokenizer

    ingredients = folder / "ingredients"
    ingredients.mkdir()
    save_tiny_model(ingredients / "model", "llama_tied")
    write_tokenizer(ingredients / "model")
    write_library(ingredients / "library")
    return ingredients


def _storm(
    asked: argparse.Namespace, lab: SlurmLab, login: Login, ingredients: Path
) -> tuple[Whole, list[Strike]]:
    keys = (*KEYS, f"train.steps={asked.steps}")
    say(f"{NODES} nodes; the undisturbed run makes {asked.steps} steps")
    job = submit(login, ingredients, "calm", *keys)
    login.wait_for_state(job, "COMPLETED", timeout_s=60 * asked.minutes + 600)
    calm = login.run("calm")
    job = submit(login, ingredients, "storm", *keys)
    run = login.run("storm")
    scene = Scene(lab=lab, login=login, run=run, rng=random.Random(asked.seed), job=job)
    _wait_for_new_step(scene, 0)
    begin = time.time()
    strikes = _strike_until(begin + 60 * asked.minutes, scene, asked)
    end = min(time.time(), rows_of(run)[-1]["time"])
    say("calm again: the run goes to its end")
    _finish(scene)
    return _judge(asked, scene, calm, strikes, window=(begin, end)), strikes


def _strike_until(end: float, scene: Scene, asked: argparse.Namespace) -> list[Strike]:
    """Bring faults about until a time, each after the run has recovered from the one before."""
    strikes: list[Strike] = []
    bag: list[str] = []
    while time.time() < end and not is_complete(scene.run):
        time.sleep(scene.rng.uniform(0.5, 1.5) * asked.every)
        bag = bag or scene.rng.sample(asked.faults, len(asked.faults))
        strike = Strike(kind=bag.pop(), at=time.time())
        last = max((row["step"] for row in rows_of(scene.run)), default=0)
        try:
            strike.detail = FAULTS[strike.kind](scene)
        except NothingToStrikeError:
            break
        strikes.append(strike)
        say(f"step {last}: {strike.kind}, {strike.detail}")
        strike.cause = _wait_for_new_step(scene, last)
        strike.survived = not strike.cause
        if strike.cause:
            say(f"  NOT SURVIVED: {strike.cause}")
            _rescue(scene, last)
        say(f"  new step {time.time() - strike.at:.0f} s after the fault began")
    return strikes


def _wait_for_new_step(scene: Scene, last: int) -> str:
    """Wait until a step after `last` has been made; why not, if it is not."""
    deadline = time.monotonic() + RECOVERY_S
    while time.monotonic() < deadline:
        if any(row["step"] > last for row in rows_of(scene.run)) or is_complete(scene.run):
            return ""
        if has_ended(scene):
            ends = events(scene.run, "attempt_finished")
            end = ends[-1] if ends else {}
            return f"{end.get('outcome')}: {end.get('cause')}".replace("|", "/")
        time.sleep(0.5)
    state = scene.lab.state(scene.job)
    return f"no new step within {RECOVERY_S:.0f} s; the job is {state}"


def has_ended(scene: Scene) -> bool:
    """Whether SLURM has ended the job for good."""
    try:
        return scene.lab.state(scene.job) in ENDED
    except AssertionError:  # the controller does not answer yet
        return False


def is_complete(run: RunDir) -> bool:
    """Whether the run has made all its steps."""
    return any(end["outcome"] == "done" for end in events(run, "attempt_finished"))


def _rescue(scene: Scene, last: int) -> None:
    """What a person would do: end the job if it still is there, and resume the run."""
    scene.lab.end_jobs(scene.login.folder)
    done = scene.login("resume", scene.run.name, code=None)
    say(f"  resumed by hand: exit code {done.returncode} {done.stderr.strip()[-300:]}")
    scene.job = scene.login.job(scene.run.name)
    if cause := _wait_for_new_step(scene, last):
        raise SystemExit(f"The run cannot be resumed: {cause}\n{scene.lab.report(scene.run.jobs)}")


def _finish(scene: Scene) -> None:
    """Wait until the run is complete, with a rescue if it is needed."""
    deadline = time.monotonic() + 1800
    while not is_complete(scene.run) and time.monotonic() < deadline:
        if has_ended(scene) and not is_complete(scene.run):
            raise SystemExit(f"The run ended early.\n{scene.lab.report(scene.run.jobs)}")
        time.sleep(1)


def _judge(
    asked: argparse.Namespace,
    scene: Scene,
    calm: RunDir,
    strikes: Sequence[Strike],
    *,
    window: tuple[float, float],
) -> Whole:
    run, rows = scene.run, rows_of(scene.run)
    ends = [*(strike.at for strike in strikes[1:]), window[1]]
    for strike, until in zip(strikes, ends, strict=True):
        measure(strike, rows, until=until)
    return whole(
        strikes,
        rows,
        read_metrics(calm.metrics),
        window=window,
        every=SAVE_EVERY_STEPS,
        seed=asked.seed,
        minutes=(window[1] - window[0]) / 60,
        nodes=NODES,
        equal=is_equal(run, calm, steps=asked.steps),
        orphans=len(left_over(scene.login)),
        unnoticed=count_unnoticed(run, strikes),
    )


def is_equal(run: RunDir, calm: RunDir, *, steps: int) -> bool:
    """Whether every step's figures and the final state are those of the undisturbed run."""
    ours, theirs = curve(run), curve(calm)
    differing = [
        n + 1 for n, pair in enumerate(zip(ours, theirs, strict=False)) if len({*pair}) > 1
    ]
    if len(ours) != steps or differing:
        say(f"{len(ours)} of {steps} steps on record; steps that differ: {differing[:10]}")
    return ours == theirs and state_hash(run, step=steps) == state_hash(calm, step=steps)


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


def say(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
