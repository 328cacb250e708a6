"""System metrics, code version and SLURM job in W&B; who may upload, and to which server."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.setup.code_snapshot import git_state

from ftdist.dist.world import World
from ftdist.io.jsonl import append_json_line, read_json_lines
from ftdist.observe import system_metrics
from ftdist.observe.metrics import SYSTEM_METRICS
from ftdist.observe.metrics_tail import MetricsTail
from ftdist.observe.system_metrics import gpu_row, monitor_node, ranks_memory_gib
from ftdist.observe.wandb import state
from ftdist.observe.wandb.api import DEFAULT_URL, WandbError, find_server
from ftdist.observe.wandb.run_config import wandb_config
from ftdist.observe.wandb.state import SenderLock, SyncState
from ftdist.rundir import RunDir
from tests.support.wandb.fake_run import make_config, make_plan, make_run
from tests.support.wandb.loopback import WandbLoopback

KEY = "k" * 40


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    made = RunDir(tmp_path / "r")
    made.create(private=True)
    made.attempt(1).mkdir()
    return made


def log(run: RunDir, step: int, *, attempt: int = 1, time: float = 0.0, **more: Any) -> None:
    append_json_line(run.metrics, {"step": step, "attempt": attempt, "time": time, **more})


def sample(run: RunDir, host: str, *, attempt: int = 1, **values: float) -> None:
    run.attempt(attempt).mkdir(exist_ok=True)
    append_json_line(run.attempt(attempt) / f"system-{host}.jsonl", values)


# --- the record, followed ---


def steps(tail: MetricsTail) -> list[int]:
    return [row["step"] for row in tail.new_rows()]


def test_metrics_are_mirrored_from_a_step_on_exactly_once(run: RunDir) -> None:
    for step in (1, 2, 3):
        log(run, step)
    tail = MetricsTail(run, after=1)
    assert steps(tail) == [2, 3]
    assert steps(tail) == []
    for step in (3, 4):  # an attempt computes a step again
        log(run, step, attempt=2)
    with run.metrics.open("a") as file:
        file.write('{"step": 5, "atte')
    assert steps(tail) == [4]
    with run.metrics.open("a") as file:
        file.write('mpt": 2}\n{"torn\n')
    log(run, 6, attempt=3)
    assert steps(tail) == [5, 6]
    assert tail.last == 6


def test_the_mirror_may_start_before_the_metrics(run: RunDir) -> None:
    tail = MetricsTail(run, after=0)
    assert steps(tail) == []
    log(run, 1)
    assert steps(tail) == [1]


def test_node_samples_of_all_attempts_join_the_next_row(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist.observe.metrics_tail.SYSTEM_POLL_S", 0.0)
    log(run, 1, time=10.0)
    log(run, 2, time=20.0)
    sample(run, "a", time=5.0, cpu_percent=99.0)
    sample(run, "a", time=12.0, cpu_percent=10.0, memory_gib=2.0)
    sample(run, "a", time=20.0, cpu_percent=30.0, memory_gib=1.0, unheard_of=1.0)
    sample(run, "b", time=13.0, cpu_percent=50.0)
    tail = MetricsTail(run, after=1)  # what came with step 1 is there already
    (row,) = tail.new_rows()
    assert {name: value for name, value in row.items() if name.startswith("sys/")} == {
        "sys/a/cpu_percent": 20.0,  # a mean
        "sys/a/memory_gib": 2.0,  # the most
        "sys/b/cpu_percent": 50.0,
    }
    sample(run, "b", attempt=2, time=25.0, cpu_percent=70.0)
    sample(run, "b", attempt=2, time=35.0, cpu_percent=80.0)
    log(run, 3, time=30.0, attempt=2)
    (row,) = tail.new_rows()
    assert row["sys/b/cpu_percent"] == 70.0
    assert "sys/a/cpu_percent" not in row


# --- nodes ---


def test_gpu_metrics_of_a_node_are_mean_and_min_use_and_max_memory() -> None:
    assert gpu_row("90, 2048\n10, 4096\n") == {
        "gpu_percent": 50.0,
        "gpu_least_percent": 10.0,
        "gpu_memory_gib": 4.0,
    }
    assert gpu_row("") == {}


def test_memory_is_summed_over_the_launcher_children() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert 0 < ranks_memory_gib(os.getpid()) < 1
    finally:
        child.kill()
        child.wait()


def world(rank: int) -> World:
    return World(rank=rank, size=2, local_rank=rank, local_size=2)


def a_while(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def fake_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{does}\n")
    command.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_only_the_first_rank_of_a_node_samples_it(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "echo 90, 2048")
    path = run.attempt(1) / f"system-{system_metrics.host_name()}.jsonl"
    with monitor_node(run, world(1), attempt=1, every_s=0.05, gpus=True):
        time.sleep(0.2)
    with monitor_node(run, world(0), attempt=1, every_s=0, gpus=True):
        time.sleep(0.2)
    assert not path.exists()
    with monitor_node(run, world(0), attempt=1, every_s=0.05, gpus=True):
        a_while(path)
    row = next(read_json_lines(path))
    assert row.keys() == {"time"} | SYSTEM_METRICS.keys()
    assert row["gpu_memory_gib"] == 2.0
    assert 0 <= row["cpu_percent"] <= 100
    assert row["memory_gib"] > 0


@pytest.mark.parametrize("does", ["sleep 60", "exit 9", "echo no devices were found"])
def test_an_unreadable_node_is_skipped(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, does)
    monkeypatch.setattr(system_metrics, "GPU_TIMEOUT_S", 0.3)
    path = run.attempt(1) / f"system-{system_metrics.host_name()}.jsonl"
    began = time.monotonic()
    with monitor_node(run, world(0), attempt=1, every_s=0.05, gpus=True):
        a_while(path)
    assert time.monotonic() - began < 10
    row = next(read_json_lines(path))
    assert "cpu_percent" in row
    assert "gpu_percent" not in row


def test_a_full_disk_omits_a_node_and_does_not_stop_training(run: RunDir) -> None:
    run.attempt(1).rmdir()  # whatever is written there is refused
    with monitor_node(run, world(0), attempt=1, every_s=0.01, gpus=False):
        time.sleep(0.1)


def test_host_names_are_valid_in_file_and_metric_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURMD_NODENAME", "rack1/node.7")
    assert system_metrics.host_name() == "rack1-node-7"


# --- facts ---


def test_git_state_is_commit_branch_and_dirty_flag(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    assert git_state(tmp_path) == {}
    git("init", "-q", "-b", "trunk")
    git("remote", "add", "origin", "https://me:canary@example.org/x")
    (tmp_path / "ftdist").mkdir()
    (tmp_path / "ftdist" / "__init__.py").touch()
    assert git_state(tmp_path) == {}  # somebody else's repository, in which we are not
    git("add", ".")
    git("commit", "-q", "-m", "x")
    commit = git("rev-parse", "HEAD")
    assert git_state(tmp_path) == {"commit": commit, "branch": "trunk", "dirty": False}
    (tmp_path / "notes.txt").touch()
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "ftdist" / "new.py").touch()
    assert git_state(tmp_path)["dirty"] is True
    git("checkout", "-q", "--detach")
    assert git_state(tmp_path) == {"commit": commit, "dirty": True}


def test_run_facts_are_of_the_newest_start_and_hold_no_secret(run: RunDir) -> None:
    run.append_event("run_requested", by="submit", version="1", git={"commit": "a", "dirty": False})
    run.append_event("attempt_started", attempt=1, job="7", restarts=0, hosts=["n1"], qos=None)
    run.append_event(
        "run_requested", by="resume", version="2", git={"commit": "b", "branch": "s3cret-key"}
    )
    run.append_event(
        "attempt_started", attempt=2, job="8", restarts=1, hosts=["n2"], partition="gpu"
    )
    config, plan = make_config(run.root.parent, wandb="off"), make_plan()
    environment = {"MY_API_KEY": "s3cret-key"}
    shown = wandb_config(run, config, plan, attempt=2, environment=environment)
    assert shown["code"] == {"commit": "b", "branch": "(hidden)", "version": "2"}
    assert shown["slurm"] == {
        "job_id": "8",
        "restart_count": 1,
        "nodes": ["n2"],
        "partition": "gpu",
    }
    assert shown["run"]["name"] == "r"
    local = wandb_config(run, config, plan, attempt=3, environment=environment)
    assert local["slurm"] == {}


# --- who sends ---


def test_only_one_process_sends_and_a_dead_sender_is_replaced(run: RunDir) -> None:
    first, sync = SenderLock(run, who="attempt 1"), SenderLock(run, who="ftdist sync")
    assert first.acquire() is None
    assert sync.acquire() == "attempt 1"
    sync.release()
    assert sync.acquire() == "attempt 1"
    second = SenderLock(run, who="attempt 2")
    assert second.acquire() is None
    first.release()
    assert sync.acquire() == "attempt 2"
    second.release()
    assert sync.acquire() is None
    assert SenderLock(run, who="attempt 3").acquire() == "ftdist sync"


def test_a_killed_sender_is_replaced_after_its_timeout(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = SenderLock(run, who="ftdist sync")
    assert dead.acquire() is None
    os.utime(run.wandb / "sender", (time.time() - 200, time.time() - 200))
    assert dead.renew()  # it lives after all
    assert SenderLock(run, who="attempt 1").acquire() == "ftdist sync"
    os.utime(run.wandb / "sender", (time.time() - 200, time.time() - 200))
    assert SenderLock(run, who="attempt 1").acquire() is None
    assert state.STALE_S < 200
    monkeypatch.setattr(state, "RENEW_EVERY_S", 0.0)
    assert not dead.renew()  # another one follows it
    dead.release()
    assert (run.wandb / "sender").read_text().startswith("attempt 1")


def test_an_unreadable_sync_state_counts_as_none(run: RunDir) -> None:
    SyncState(step=7, ended="done").write(run)
    assert SyncState.read(run) == SyncState(step=7, ended="done")
    (run.wandb / "synced.json").write_text('{"step": ')
    assert SyncState.read(run) == SyncState()


# --- the server ---


def test_the_api_key_is_found_where_wandb_looks(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert find_server(home) is None
    found = find_server({**home, "WANDB_API_KEY": KEY})
    assert found is not None
    assert (found.url, found.key) == (DEFAULT_URL, KEY)
    assert KEY not in repr(found)
    (tmp_path / ".netrc").write_text(
        f"machine api.wandb.ai login user password {KEY}\n"
        "machine wandb.example.org:8443 login user password other\n"
    )
    assert find_server(home) == found
    settings = tmp_path / ".config" / "wandb" / "settings"
    settings.parent.mkdir(parents=True)
    settings.write_text("[default]\nbase_url = https://wandb.example.org:8443/\n")
    own = find_server(home)
    assert own is not None
    assert (own.url, own.key) == ("https://wandb.example.org:8443", "other")
    assert find_server({**home, "WANDB_BASE_URL": "file:///etc"}) is None
    assert find_server({**home, "NETRC": str(tmp_path / "none")}) is None


def test_the_server_reports_its_last_step_or_an_error(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="online")
    tracking = make_config(tmp_path, wandb="online").tracking
    run_id = state.wandb_id(run)
    with WandbLoopback() as server:
        asked = find_server(server.environment())
        assert asked is not None
        assert asked.last_step(run, tracking) == 0
        rows = ['{"trainer/global_step": 3}', '{"trainer/global_step": 4}']
        content = {"files": {"wandb-history.jsonl": {"offset": 0, "content": rows}}}
        server._file_stream(run_id, content, writer=None)
        assert asked.last_step(run, tracking) == 4
        foreign = {"files": {"wandb-history.jsonl": {"offset": 2, "content": ['{"loss": 1}']}}}
        server._file_stream(run_id, foreign, writer=None)
        with pytest.raises(WandbError, match="rows without trainer/global_step"):
            asked.last_step(run, tracking)
        server.fault = "401"
        with pytest.raises(WandbError, match="key was rejected") as refused:
            asked.last_step(run, tracking)
        assert asked.key not in str(refused.value)
        server.fault = "hang"
        with pytest.raises(WandbError, match="timed out"):
            asked.last_step(run, tracking, timeout_s=0.2)
