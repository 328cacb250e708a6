"""A cluster run, from `ftdist submit` to the comparison with its base."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftdist.config.saved_config import load_config
from ftdist.errors import DeviceError
from ftdist.io.jsonl import write_whole
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve, state_hash
from tests.support.slurm.login import Login, copy_checkout, logged_in
from tests.support.slurm.queued_runs import (
    STEPS,
    committed,
    events,
    left_over,
    submit,
    wait_for_step,
)


def local_twin(run: RunDir, folder: Path) -> RunDir:
    """The same run on this machine: as many ranks, no cluster."""
    lines = run.overrides.read_text().splitlines()
    keys = [line for line in lines if not line.startswith(("cluster", "run.name"))]
    words = [*keys, "run.name=twin", "cluster.tasks_per_node=2", "cluster.device=cpu"]
    subprocess.run(
        [sys.executable, "-m", "ftdist", "train", *words],
        cwd=folder,
        check=True,
        timeout=300,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    return RunDir(folder / "runs" / "twin")


@contextmanager
def busy(login: Login) -> Iterator[None]:
    """Keep both nodes from taking another job within a `with` block."""
    script = login.folder / "busy.sh"
    script.write_text("#!/bin/sh\nsleep 300\n")
    asked = ("sbatch", "--parsable", f"--chdir={login.folder}", "--nodes=2", "--exclusive")
    job = login.lab.client(*asked, "--output=/dev/null", str(script)).strip()
    login.wait_for_state(job, "RUNNING")
    try:
        yield
    finally:
        login.lab.client("scancel", job)


def say_it_trained_on_gpus(run: RunDir) -> None:
    """Its config as the first attempt on nodes with GPUs would have fixed it."""
    text = run.config.read_text()
    text = text.replace("device: cpu", "device: cuda")
    text = re.sub(r"gpus_per_node: .*", "gpus_per_node: 1", text)
    write_whole(run.config, text)
    cluster = load_config(run.config).cluster
    assert (cluster.device, cluster.gpus_per_node) == ("cuda", 1)


def write_probes(path: Path) -> Path:
    rows = [
        {"question": f"Count {number}.", "answer": f"It is {number}.", "keys": [str(number)]}
        for number in range(2)
    ]
    path.write_text("".join(json.dumps({**row, "kind": "fact"}) + "\n" for row in rows))
    return path


def test_two_nodes_are_bit_identical_to_two_local_ranks_and_a_lost_gpu_ends_the_comparison(
    login: Login, ingredients: Path, tmp_path: Path
) -> None:
    probes = write_probes(tmp_path / "probes.jsonl")
    train = submit(
        login,
        ingredients,
        "r",
        f"eval.probes={probes}",
        "eval.max_new_tokens=4",
        "eval.general_questions=none",
        "eval.num_instructions=0",
        "eval.perplexity_texts=none",
        f"library.cache_dir={tmp_path / 'cache'}",  # a raw library: nobody has packed it yet
    )
    # Behind a training that waits: all three are in the queue at once.
    login("export", "r")
    run = login.run("r")
    wait_for_step(login, run, 1)
    say_it_trained_on_gpus(run)
    login("compare", "r", "eval.num_replicas=2")
    login.wait_for_state(login.job("r", "compare"), "FAILED", timeout_s=240)

    submitted = {event["stage"]: event for event in events(run, "job_submitted")}
    assert submitted["train"]["after"] == [submitted["prepare"]["job"]]
    assert submitted["export"]["after"] == [submitted["prepare"]["job"], train]
    assert submitted["compare"]["after"] == [submitted["export"]["job"]]
    (launched,) = events(run, "attempt_started")
    assert (launched["hosts"], launched["world_size"]) == (["node1", "node2"], 2)
    assert committed(run) == [STEPS]
    logs = "".join(path.read_text() for path in (run.jobs / "train").glob("*_log.out"))
    assert "prepare:" not in logs  # no rank ever tokenises
    assert "prepare:" in next((run.jobs / "prepare").glob("*_0_log.out")).read_text()
    assert (run.export / "config.json").is_file()
    assert oct(run.root.stat().st_mode)[-3:] == "700"
    assert oct((run.export / "config.json").stat().st_mode)[-3:] == "600"

    # The export asked for no GPU, the comparison for one that no process can use: it does not
    # run on the CPU.
    gpus = [
        "--gpus-per-node=1" in next((run.jobs / stage).glob("*.sh")).read_text()
        for stage in ("export", "compare")
    ]
    assert gpus == [False, True]
    assert events(run, "model_exported")[0]["unchecked"] is None
    (compared,) = [e for e in events(run, "stage_finished") if e["stage"] == "compare"]
    assert compared["exit_code"] == DeviceError.exit_code
    assert "has GPUs, but torch" in compared["cause"]

    twin = local_twin(run, tmp_path)
    assert len(curve(run)) == STEPS
    assert curve(run) == curve(twin)
    assert state_hash(run, step=STEPS) == state_hash(twin, step=STEPS)
    assert left_over(login) == []


def test_a_sweep_is_one_job_array_with_one_run_per_value(login: Login, ingredients: Path) -> None:
    login(
        *("submit", "-m", "optim.peak_lr=1e-3,2e-3", "run.name=s", "train.steps=4", "tracking=off"),
        *(f"model.path={ingredients / 'model'}", f"library.path={ingredients / 'library'}"),
        *("batch.sequence_length=128", "batch.tokens=256", "model.dtype=float32"),
        *("cluster=slurm", "cluster.cpus_per_task=1", "cluster.device=cpu"),
    )
    job = login.job("s-peak_lr-0.001")
    number = job.partition("_")[0]
    for place in (0, 1):
        login.wait_for_state(f"{number}_{place}", "COMPLETED")
    rates = []
    for place, rate in enumerate(("0.001", "0.002")):
        run = login.run(f"s-peak_lr-{rate}")
        (asked,) = [e for e in events(run, "job_submitted") if e["stage"] == "train"]
        assert asked["job"] == f"{number}_{place}"
        (trial,) = events(run, "trial_recorded")
        assert (trial["sweep"], trial["swept"]) == ("s", {"optim.peak_lr": rate})
        assert [end["outcome"] for end in events(run, "attempt_finished")] == ["done"]
        rates.append(max(row["optim/learning_rate"] for row in read_metrics(run.metrics)))
    assert rates[1] == 2 * rates[0]


def test_a_job_runs_the_code_that_was_submitted_and_refuses_any_other(
    login: Login, ingredients: Path, tmp_path: Path
) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    with logged_in(login.lab, tmp_path, checkout=checkout) as user:
        with busy(user):
            job = submit(user, ingredients, "kept", "train.steps=2")
            changed = submit(user, ingredients, "changed", "train.steps=2")
            (checkout / "ftdist" / "train" / "loop.py").write_text("raise SystemExit(3)\n")
            with (user.run("changed").code / "ftdist" / "nn" / "loss.py").open("a") as file:
                file.write("# not what was submitted\n")
        user.wait_for_state(job, "COMPLETED")
        assert [end["outcome"] for end in events(user.run("kept"), "attempt_finished")] == ["done"]
        # Its tokenising refuses already, and training never starts.
        user.wait_for_state(user.job("changed", "prepare"), "FAILED")
        user.wait_for_state(changed, "CANCELLED")
        (end,) = events(user.run("changed"), "stage_finished")
        assert "is not the code that was submitted" in end["cause"]
        assert user.lab.exit_code(user.job("changed", "prepare")) == 78
        assert events(user.run("changed"), "attempt_started") == []


@pytest.mark.fault("U1", "U2")
def test_requests_beyond_the_cluster_are_refused_before_submission(
    login: Login, ingredients: Path
) -> None:
    before = login.lab.client("squeue", "--noheader", "--states=all")
    done = login(
        "submit",
        f"model.path={ingredients / 'model'}",
        "library.path=nowhere",
        "run.name=r",
        "batch.sequence_length=128",
        "batch.tokens=896",
        *(
            "cluster=slurm",
            "cluster.partition=mian",
            "cluster.nodes=7",
            "cluster.signal_delay_s=999999",
        ),
        *("tracking=online",),
        code=78,
    )
    for words in (
        "cluster.partition=mian does not exist on this cluster. Set it to main.",
        "cluster.signal_delay_s below",
        "no W&B key",
        "library.path: the file or folder",
    ):
        assert words in done.stderr
    refused = login(
        "submit",
        *(f"model.path={ingredients / 'model'}", f"library.path={ingredients / 'library'}"),
        *("run.name=r", "batch.sequence_length=128", "batch.tokens=512", "cluster=slurm"),
        "cluster.constraint=h100",
        code=69,
    )
    assert "SLURM would reject the job" in refused.stderr
    assert "feature" in refused.stderr.lower()
    assert not login.run("r").root.exists()
    assert login.lab.client("squeue", "--noheader", "--states=all") == before
