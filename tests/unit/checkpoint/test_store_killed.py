"""Killed at any moment, or out of room, a save leaves a whole checkpoint to be found."""

import itertools
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftdist.checkpoint.manifest import verify_folder
from ftdist.checkpoint.store import CheckpointStore, checkpoint_name
from ftdist.errors import StorageError
from tests.support.models.fake_checkpoints import (
    PROCESSES,
    RANKS,
    commit,
    content,
    in_child,
    names,
    never,
    save,
    write,
)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", keep=2)


def test_a_file_size_limit_is_a_storage_error_and_keeps_the_previous_checkpoint(
    store: CheckpointStore,
) -> None:
    save(store, 1)

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        partial = store.begin(2, 1)
        records = [write(partial, f"rank-{index}.bin", b"x" * 100) for index in range(5)]
        try:
            commit(store, 2, records)  # the manifest of five files is longer than 300 bytes
        except StorageError as error:
            os._exit(42 if "ulimit" in error.remedy else 1)

    assert in_child(write_too_much) == 42
    found = store.latest_verified(never)
    assert found is not None
    assert found.step == 1


def assert_whole(store: CheckpointStore, *, at_least: int, newest_allowed: int, size: int) -> None:
    """What every reader must find after a kill; then that the next attempt goes on from there."""
    found = store.latest_verified(never)
    step = found.step if found else 0
    assert at_least <= step <= newest_allowed
    for info in store.committed():
        verify_folder(info.path)
        for rank in range(RANKS):
            whole = content(info.step, rank, size=size)
            assert (info.path / f"rank-{rank}.bin").read_bytes() == whole
    assert len(store.committed()) >= min(2, step)


@pytest.mark.fault("C1", "C11")
def test_a_kill_at_any_file_operation_leaves_a_complete_checkpoint(tmp_path: Path) -> None:
    """A real process kills itself before its k-th file operation, for every k there is."""
    size, steps = 64, 3
    for k in itertools.count(1):
        store = CheckpointStore(tmp_path / str(k), keep=2)
        report = tmp_path / f"{k}.txt"
        log = os.open(report, os.O_WRONLY | os.O_CREAT)

        def write(store: CheckpointStore = store, log: int = log, k: int = k) -> None:
            count = itertools.count(1)

            def hook(event: str, arguments: tuple[Any, ...]) -> None:
                if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"} and (
                    next(count) == k
                ):
                    os.kill(os.getpid(), signal.SIGKILL)

            # A kill loses nothing that was written, synced or not: be quick.
            pytest.MonkeyPatch().setattr(os, "fsync", lambda _: None)
            sys.addaudithook(hook)
            for step in range(1, steps + 1):
                save(store, step, size=size)
                os.write(log, b"x")
            os._exit(0)

        exit_code = in_child(write)
        os.close(log)
        done = report.stat().st_size
        assert_whole(store, at_least=done, newest_allowed=min(done + 1, steps), size=size)
        store.clean_leftovers(2)
        assert all(name.startswith("step-") and len(name) == 13 for name in names_or_none(store))
        if exit_code == 0:
            break
        assert exit_code == -signal.SIGKILL
    assert k > 40, f"only {k} places to be killed at: the hook does not see the operations"


def names_or_none(store: CheckpointStore) -> list[str]:
    root = store._root
    return names(root) if root.exists() else []


@pytest.mark.fault("C1", "C11")
def test_a_kill_at_random_times_leaves_a_complete_checkpoint(tmp_path: Path) -> None:
    """One store, forty attempts, each killed in its saves; the next goes on from there."""
    size = 300_000
    store = CheckpointStore(tmp_path, keep=2)
    draw = random.Random(0)
    newest = 0
    for attempt in range(1, 26):
        store.clean_leftovers(attempt)

        def write(first: int = newest + 1, attempt: int = attempt) -> None:
            for step in itertools.count(first):
                save(store, step, attempt=attempt, size=size)

        child = PROCESSES.Process(target=write)
        child.start()
        # Not before the second save, so that every attempt makes progress on a slow disk too.
        second = tmp_path / f"{checkpoint_name(newest + 2)}.partial-{attempt}"
        deadline = time.monotonic() + 30
        while not (second.exists() or store.is_committed(newest + 2)):
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        time.sleep(draw.uniform(0.0, 0.03))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert_whole(store, at_least=newest + 1, newest_allowed=sys.maxsize, size=size)
        newest = store.committed()[0].step
    store.clean_leftovers(26)
    save(store, newest + 1, attempt=26, size=size)
    assert len(names(tmp_path)) == 2
