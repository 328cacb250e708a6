"""Contracts 8 and 10: W&B mirrors the record, each step once; it can break without harm.

Real wandb, in processes of their own, against a stand-in for its server on this machine. What can
run at once does: attempts spend their time waiting.
"""

import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftdist.io.jsonl import append_json_line
from ftdist.observe.wandb.state import SyncState, wandb_id
from ftdist.rundir import RunDir
from tests.support.small_disk import small_disk
from tests.support.wandb import reader as wandb_reader
from tests.support.wandb.fake_run import (
    CLOSE_TIMEOUT_S,
    STEP_TOKENS,
    STEPS,
    Done,
    as_recorded,
    make_run,
    raw_rows,
    start,
    wait_for,
    without_time,
)
from tests.support.wandb.loopback import WandbLoopback
from tests.support.wandb.uploads import FAULTS, Loopback, by_attempt, offline_rows, sync

SECRET = "canary-of-the-environment-0123456789abcdef"


def page(server: WandbLoopback, run: RunDir) -> dict[str, Any]:
    """The run's config as its page shows it."""
    shown = server.runs[wandb_id(run)].config
    return {name: entry["value"] for name, entry in shown.items()}


# --- one run over all attempts ---


@pytest.mark.fault("W5", "S8")
def test_two_online_attempts_are_one_run_with_facts_and_no_secrets(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    git = {"commit": "c0ffee", "branch": "main", "dirty": True}
    run.append_event("run_requested", by="submit", version="1.2.3", git=git)
    run.append_event("job_submitted", stage="train", job="77", sweep="rates")
    for attempt in (1, 2):
        launched = {"job": "77", "hosts": ["n1", SECRET], "restarts": attempt - 1, "account": "me"}
        run.append_event("attempt_started", attempt=attempt, **launched)
    run.attempt(1).mkdir(parents=True)
    for percent, memory in ((20.0, 3.0), (40.0, 1.0)):
        row = {"time": time.time(), "cpu_percent": percent, "memory_gib": memory}
        append_json_line(run.attempt(1) / "system-n1.jsonl", row)
    with Loopback() as server:
        environment = {**server.environment(), "MY_ACCESS_TOKEN": SECRET}
        labels = ["tracking.tags=[a]", f"tracking.notes=about {SECRET}", "tracking.job_type=sft"]
        first = start(run, environment, wandb="auto", last=6, more=labels).wait()
        output = server.runs[wandb_id(run)]
        assert (output.name, output.notes, output.job_type) == ("r", "about (hidden)", "sft")
        output.name, output.tags = "renamed on the page", ["b"]
        second = start(run, environment, wandb="auto", attempt=2, first=4, more=labels).wait()
        assert (first.exit_code, second.exit_code) == (0, 0), first.err + second.err
        rows = as_recorded(server.history(wandb_id(run)))
        tokens = [row["trainer/tokens"] for row in server.history(wandb_id(run))]
    assert tokens == [STEP_TOKENS * step for step in range(1, STEPS + 1)]
    assert (output.name, output.tags) == ("renamed on the page", ["b"])
    assert f"W&B: {server.url}" in first.out
    assert f"{server.url}/" in (run.wandb / "url").read_text()
    assert SyncState.read(run) == SyncState(step=STEPS, ended="done")
    assert output.group == "rates"
    assert (output.state, output.finishes, server.unknown, server.errors) == ("finished", 2, [], [])
    # Steps 5 and 6 were computed twice; W&B has them from attempt 1, the record has both.
    nodes = {"sys/n1/cpu_percent": 30.0, "sys/n1/memory_gib": 3.0}
    assert rows[0] == without_time(raw_rows(run))[0] | nodes
    assert rows[1:] == by_attempt(run, first=6, then=6)[1:]

    shown = page(server, run)
    assert (shown["plan"]["steps"], shown["attempt"]) == (STEPS, 2)
    assert shown["code"] == {**git, "version": "1.2.3"}
    slurm = {"job_id": "77", "nodes": ["n1", "(hidden)"], "restart_count": 1, "account": "me"}
    assert shown["slurm"] == slurm
    assert shown["units"]["throughput/tokens_per_s"] == "tokens/s"
    assert shown["units"]["sys/*/memory_gib"] == "GiB"
    sent = b"\n".join([*server.bodies, *server.uploads.values()])
    assert b"canary-of" not in sent
    assert environment["WANDB_API_KEY"].encode() not in sent
    assert server.keys == {environment["WANDB_API_KEY"]}
    refuse_canaries(run)


@pytest.mark.fault("W5", "S8")
def test_two_offline_attempts_are_one_run_without_duplicates_or_secrets(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    environment = {"WANDB_API_KEY": SECRET}
    more = ["tracking.axis=tokens", "tracking.group=mine"]
    first = start(run, environment, wandb="offline", last=6, more=more).wait()
    second = start(run, environment, wandb="offline", attempt=2, first=4).wait()
    assert (first.exit_code, second.exit_code) == (0, 0), first.err + second.err
    assert "W&B is offline; `ftdist sync " in first.out
    assert "Attempt 2 resumes after step 4 of 10." in second.out
    logs = wandb_reader.find_logs(run.wandb)
    assert {wandb_reader.run_id(log) for log in logs} == {wandb_id(run)}
    assert [wandb_reader.exit_code(log) for log in logs] == [0, 0]
    assert offline_rows(run) == by_attempt(run, first=6, then=6)
    by_step, by_tokens = (wandb_reader.metric_axes(log) for log in reversed(logs))
    assert by_step.pop("trainer/tokens") == by_tokens.pop("trainer/tokens") == "trainer/global_step"
    sections = ("train", "optim", "eval", "throughput", "time", "memory", "sys")
    assert by_step == {"trainer/global_step": ""} | {
        f"{section}/*": "trainer/global_step" for section in sections
    }
    assert {name for name, axis in by_tokens.items() if axis == "trainer/tokens"} == {
        "train/*",
        "optim/*",
        "eval/*",
    }
    assert wandb_reader.config(logs[0])["tracking"]["group"] == "mine"
    assert not list(run.wandb.glob("offline-run-*/files/requirements.txt"))
    assert {wandb_reader.host(log) for log in logs} == {"hidden"}
    refuse_canaries(run)


def refuse_canaries(run: RunDir) -> None:
    for path in run.wandb.rglob("*"):
        if path.is_file():
            assert b"canary-of" not in path.read_bytes(), path


# --- never an obstacle: from the start ---

AT_START: dict[str, str] = {
    "500": "HTTP 500",
    "429": "HTTP 429",
    "401": "the key was rejected (HTTP 401)",
    "hang": "timed out",
    "gone": "Connection refused",
    "no key": "no key in WANDB_API_KEY",
    "WANDB_MODE": "WANDB_MODE=offline",
}
"""What is wrong with W&B, and what is said of it."""


@pytest.fixture(scope="module")
def begun_in_trouble(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RunDir, Done]]:
    """An attempt for each trouble of `AT_START`."""

    folder = tmp_path_factory.mktemp("start")
    # Hydra has one state a process: these are made one after another.
    runs = {
        trouble: make_run(folder / trouble.replace(" ", "_"), wandb="auto") for trouble in AT_START
    }

    def begin(trouble: str) -> tuple[RunDir, Done]:
        run = runs[trouble]
        with Loopback() as server:
            environment = server.meet(trouble)
            mode = "online" if trouble in ("500", "401") else "auto"
            return run, start(run, environment, wandb=mode).wait()

    with ThreadPoolExecutor(len(AT_START)) as pool:
        return dict(zip(AT_START, pool.map(begin, AT_START), strict=True))


@pytest.mark.fault("W1", "W2")
@pytest.mark.parametrize("trouble", AT_START)
def test_a_wandb_failure_at_start_prints_one_line_and_goes_offline(
    begun_in_trouble: Mapping[str, tuple[RunDir, Done]], trouble: str
) -> None:
    run, done = begun_in_trouble[trouble]
    assert done.exit_code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("W&B")]
    assert line.startswith("W&B is offline (")
    assert AT_START[trouble] in line
    assert "`ftdist sync " in line
    assert "Traceback" not in done.err
    assert done.slowest_log_s < 0.5
    assert done.close_s < CLOSE_TIMEOUT_S
    assert offline_rows(run) == without_time(raw_rows(run))
    assert len(raw_rows(run)) == STEPS
    assert not (run.wandb / "url").exists()


# --- never an obstacle: in mid-run; and what `ftdist sync` makes of it ---

MIDWAY = ("500", "401", "hang", "gone", "KILL", "STOP", "die")


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A run whose mirror broke after its first steps, and what W&B had of it then and later."""

    run: RunDir
    done: Done
    steps_then: list[int]
    synced: Done
    rows_later: list[dict[str, Any]]
    state_later: str


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Broken]:
    """A run for each trouble of `MIDWAY`."""

    folder = tmp_path_factory.mktemp("midway")
    runs = {trouble: make_run(folder / trouble, wandb="online") for trouble in MIDWAY}

    def break_it(trouble: str) -> Broken:
        run = runs[trouble]
        with Loopback() as server:
            began = start(run, server.environment(), wandb="online", halt=5, trouble=trouble)
            began.wait_at_halt()
            wait_for(lambda: server.steps(run))
            server.fault = FAULTS.get(trouble)
            if trouble == "gone":
                server.fault = "hang"  # what was connected is cut off when it closes
                server.__exit__()
            began.go_on()
            done = began.wait()
            then = server.steps(run)
        run.append_event("attempt_finished", attempt=1, outcome="failed")
        server.recover()
        with server:
            synced = sync(run, server.environment())
            rows = as_recorded(server.history(wandb_id(run)))
            state = server.runs[wandb_id(run)].state
        return Broken(
            run=run,
            done=done,
            steps_then=then,
            synced=synced,
            rows_later=rows,
            state_later=state,
        )

    with ThreadPoolExecutor(len(MIDWAY)) as pool:
        return dict(zip(MIDWAY, pool.map(break_it, MIDWAY), strict=True))


@pytest.mark.fault("W3", "W4")
@pytest.mark.parametrize("trouble", MIDWAY)
def test_a_wandb_failure_in_mid_run_delays_neither_steps_nor_exit(
    broken: Mapping[str, Broken], trouble: str
) -> None:
    run, done = broken[trouble].run, broken[trouble].done
    assert [row["step"] for row in raw_rows(run)] == list(range(1, STEPS + 1))
    if trouble == "die":
        assert done.exit_code == -9
        return
    assert done.exit_code == 0, done.err
    assert done.slowest_log_s < 0.5
    assert done.close_s < CLOSE_TIMEOUT_S
    assert re.search(r"^W&B .*`ftdist sync", done.out, re.MULTILINE), done.out
    assert "Traceback" not in done.err


@pytest.mark.parametrize("trouble", MIDWAY)
def test_sync_sends_rows_a_broken_mirror_missed_exactly_once(
    broken: Mapping[str, Broken], trouble: str
) -> None:
    case = broken[trouble]
    assert case.synced.exit_code == 0, case.synced.err
    assert case.rows_later == without_time(raw_rows(case.run))
    assert f"up to step {STEPS}" in case.synced.out
    assert case.state_later == "failed"
    if trouble not in ("STOP", "KILL", "die"):
        assert len(case.steps_then) < STEPS


# --- files ---


@pytest.mark.fault("W6")
def test_a_killed_run_has_its_wandb_rows_on_disk(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    assert start(run, {}, wandb="offline", trouble="die").wait().exit_code == -9
    assert offline_rows(run) == without_time(raw_rows(run))
    [log] = wandb_reader.find_logs(run.wandb)
    assert wandb_reader.exit_code(log) is None


def test_a_wandb_write_failure_prints_one_line_and_metrics_are_complete(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    run.wandb.rmdir()
    run.wandb.write_text("a file where the folder should be")
    done = start(run, {}, wandb="offline").wait()
    assert done.exit_code == 0, done.err
    assert done.out.count("W&B upload stopped") == 1
    assert [row["step"] for row in raw_rows(run)] == list(range(1, STEPS + 1))


@pytest.mark.fault("W7")
def test_a_full_disk_of_wandbs_files_prints_one_line_and_metrics_are_complete(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    with small_disk(run.wandb, "bytes", size="20k"):
        done = start(run, {}, wandb="offline").wait()
    assert done.exit_code == 0, done.err
    assert done.out.count("cannot be written (No space left on device); training continues") == 1
    assert "Traceback" not in done.out + done.err
    assert [row["step"] for row in raw_rows(run)] == list(range(1, STEPS + 1))
