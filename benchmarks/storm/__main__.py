"""`python -m benchmarks.storm`: faults in random order over one run on a SLURM of this machine.

Run it as root and alone on the machine. One run is left alone; then each seed has a run in its
storm on the same cluster, which is compared with it step by step.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.storm.faults import FAULTS, NothingToStrikeError, Scene
from benchmarks.storm.judge import is_complete, judge, last_step, rows_of, say
from benchmarks.storm.results import Strike, Whole, markdown, to_json
from ftdist.rundir import RunDir
from tests.support.slurm.cluster import ENDED, SlurmLab
from tests.support.slurm.commands import PATIENCE
from tests.support.slurm.login import Login, logged_in
from tests.support.slurm.queued_runs import events, submit
from tests.support.tiers import missing_cluster

RESULTS = Path(__file__).parent / "results"
LOGS = Path("build") / "storm"
DISK_MIB = 400
SAVE_EVERY_STEPS = 20
RECOVERY_S = 300.0
"""Seconds after which a run that has made no new step counts as lost."""

KEYS = (
    f"checkpoint.every_steps={SAVE_EVERY_STEPS}",
    "batch.tokens=2048",
    "cluster.signal_delay_s=60",
    "cluster.step_timeout_s=15",
    "cluster.save_timeout_s=30",
    "cluster.load_timeout_s=120",
    "cluster.init_timeout_s=120",
)


def main(arguments: Sequence[str]) -> int:
    """Run the storms, print their tables and write them.

    Returns:
        0 if every run survived all faults by itself and nothing was lost, else 1.
    """
    asked = _parse(arguments)
    if reason := missing_cluster():
        print(f"No cluster can be started here: {reason}", file=sys.stderr)
        return 78
    os.environ.update(HF_HUB_OFFLINE="1", DO_NOT_TRACK="1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nodes and disk go in any case
    with (
        tempfile.TemporaryDirectory(prefix="ftdist-storm-", dir="/tmp") as folder,
        small_disk(Path(folder, "runs")),
        SlurmLab.running(nodes=asked.nodes) as lab,
        logged_in(lab, Path(folder)) as login,
    ):
        ingredients = make_ingredients(login.folder)
        calm = _calm(asked, login, ingredients)
        went_well = [_storm(asked, login, ingredients, calm, seed=seed) for seed in asked.seeds]
    return int(not all(went_well))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1], help="of the order of faults, a storm each (1)"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="length of a storm (10)")
    parser.add_argument("--every", type=float, default=20.0, help="mean seconds of calm (20)")
    parser.add_argument("--nodes", type=int, default=4, help="with a rank each (4)")
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


def _keys(asked: argparse.Namespace) -> tuple[str, ...]:
    """The config of both runs."""
    return (*KEYS, f"cluster.nodes={asked.nodes}", f"train.steps={asked.steps}")


def _calm(asked: argparse.Namespace, login: Login, ingredients: Path) -> RunDir:
    """The run that is left alone."""
    say(f"{asked.nodes} nodes; the undisturbed run makes {asked.steps} steps")
    job = submit(login, ingredients, "calm", *_keys(asked))
    login.wait_for_state(job, "COMPLETED", timeout_s=60 * asked.minutes + 600)
    _keep_records(login.run("calm"), LOGS / "calm")
    return login.run("calm")


def _storm(
    asked: argparse.Namespace, login: Login, ingredients: Path, calm: RunDir, *, seed: int
) -> bool:
    """Run one storm and write its figures; whether nothing was lost and nobody had to help."""
    say(f"seed {seed}")
    name = f"storm-{seed}"
    job = submit(login, ingredients, name, *_keys(asked))
    run = login.run(name)
    scene = Scene(lab=login.lab, login=login, run=run, rng=random.Random(seed), job=job)
    try:
        _wait_for_new_step(scene, 0)
        begin = time.time()
        strikes = _strike_until(begin + 60 * asked.minutes, scene, asked)
        end = rows_of(run)[-1]["time"]
        say("calm again: the run goes to its end")
        _finish(scene)
        result = judge(
            scene,
            calm,
            strikes,
            window=(begin, end),
            steps=asked.steps,
            **{"every": SAVE_EVERY_STEPS, "seed": seed, "nodes": asked.nodes},
        )
    finally:
        _keep_records(run, LOGS / f"seed-{seed}")
    shutil.rmtree(run.root)  # the disk is small
    _write(asked.results / f"seed-{seed}.json", result, strikes)
    well = result.equal and not result.orphans and not result.unnoticed
    return well and result.survived == result.faults


def _write(path: Path, result: Whole, strikes: Sequence[Strike]) -> None:
    values = to_json(result, strikes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(f"\n{markdown(values)}\nwrote {path}", flush=True)


def _strike_until(end: float, scene: Scene, asked: argparse.Namespace) -> list[Strike]:
    """Bring faults about until a time, each after the run has recovered from the one before."""
    strikes: list[Strike] = []
    bag: list[str] = []
    while time.time() < end and not is_complete(scene.run):
        calm = last_step(scene.run)
        time.sleep(scene.rng.uniform(0.5, 1.5) * asked.every)
        # A stop may come a step after the fault: only a step after the calm shows that all is well.
        if not _goes_on(scene, calm, strikes):
            break
        bag = bag or scene.rng.sample(asked.faults, len(asked.faults))
        strike = Strike(kind=bag.pop(), at=time.time())
        last = last_step(scene.run)
        try:
            strike.detail = FAULTS[strike.kind](scene)
        except NothingToStrikeError:
            break
        strikes.append(strike)
        say(f"step {last}: {strike.kind}, {strike.detail}")
        if not _goes_on(scene, last, strikes):
            break
        say(f"  new step {time.time() - strike.at:.0f} s after the fault began")
    return strikes


def _goes_on(scene: Scene, last: int, strikes: Sequence[Strike]) -> bool:
    """Wait for a step after `last`, with the help of a person if the last fault was too much."""
    cause = _wait_for_new_step(scene, last)
    if not cause:
        return True
    say(f"  NOT SURVIVED: {cause}")
    for strike in strikes[-1:]:
        strike.cause, strike.survived = cause, False
    return _rescue(scene, last)


def _wait_for_new_step(scene: Scene, last: int) -> str:
    """Wait until a step after `last` has been made; why not, if it is not."""
    limit_s = RECOVERY_S * PATIENCE
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if any(row["step"] > last for row in rows_of(scene.run)) or is_complete(scene.run):
            return ""
        if has_ended(scene):
            ends = events(scene.run, "attempt_finished")
            end = ends[-1] if ends else {}
            return f"{end.get('outcome')}: {end.get('cause')}".replace("|", "/")
        time.sleep(0.5)
    return f"no new step within {limit_s:.0f} s; the job is {scene.lab.state(scene.job)}"


def has_ended(scene: Scene) -> bool:
    """Whether SLURM has ended the job for good."""
    try:
        return scene.lab.state(scene.job) in ENDED
    except AssertionError:  # the controller does not answer yet
        return False


def _rescue(scene: Scene, last: int) -> bool:
    """What a person would do: end the job if it is still there, and resume the run.

    Returns:
        Whether the run makes new steps again.
    """
    scene.lab.end_jobs(scene.login.folder)
    done = scene.login("resume", scene.run.name, code=None)
    say(f"  resumed by hand: exit code {done.returncode} {done.stderr.strip()[-300:]}")
    if done.returncode:
        return False
    scene.job = scene.login.job(scene.run.name)
    cause = _wait_for_new_step(scene, last)
    say(f"  {cause or 'it goes on'}")
    return not cause


def _finish(scene: Scene) -> None:
    """Wait until the run is complete or cannot become so."""
    deadline = time.monotonic() + 1800 * PATIENCE
    while not is_complete(scene.run) and not has_ended(scene) and time.monotonic() < deadline:
        time.sleep(1)


def _keep_records(run: RunDir, folder: Path) -> None:
    """Copy what the run wrote, checkpoints and code excepted."""
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("checkpoints", "code", "lock")
    shutil.copytree(run.root, folder, ignore=ignored, symlinks=True)
    say(f"records of the run are in {folder}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
