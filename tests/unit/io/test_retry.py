"""Errors of a shared file system that pass, and files that show late."""

import errno
import os
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pytest

from ftdist.errors import StorageError, TransientStorageError
from ftdist.io import retry
from ftdist.io.filesystem import storage_errors
from ftdist.io.jsonl import read_json_lines
from ftdist.io.retry import retry_passing, wait_for


def failing(times: int, number: int) -> tuple[Callable[[], str], list[float]]:
    """An action that fails some times, and when it was called."""
    calls: list[float] = []

    def action() -> str:
        calls.append(time.monotonic())
        if len(calls) <= times:
            raise OSError(number, os.strerror(number), "plan.json")
        return "content"

    return action, calls


@pytest.mark.fault("C10")
@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT])
def test_an_error_that_passes_is_tried_again_with_growing_pauses(number: int) -> None:
    action, calls = failing(3, number)
    assert retry_passing(action, deadline_s=30.0) == "content"
    pauses = [after - before for before, after in pairwise(calls)]
    assert [pause > least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=True)] == [
        True
    ] * 3


@pytest.mark.fault("C10")
def test_an_error_that_lasts_is_raised_at_the_deadline_and_may_be_started_again() -> None:
    action, calls = failing(10**6, errno.ESTALE)
    stale = r"Cannot read plan\.json: Stale file handle"
    with (
        pytest.raises(TransientStorageError, match=stale),
        storage_errors("read", Path("plan.json")),
    ):
        retry_passing(action, deadline_s=0.5)
    assert 0.5 <= calls[-1] - calls[0] < 5.0
    assert TransientStorageError.exit_code == 75


def test_a_full_disk_is_not_tried_again() -> None:
    action, calls = failing(1, errno.ENOSPC)
    with pytest.raises(StorageError) as caught, storage_errors("write", Path("plan.json")):
        retry_passing(action, deadline_s=30.0)
    assert not isinstance(caught.value, TransientStorageError)
    assert len(calls) == 1


@pytest.mark.fault("L15")
def test_a_file_that_shows_late_is_waited_for(tmp_path: Path) -> None:
    late = tmp_path / "runs" / "r" / "plan.json"

    def make() -> None:
        late.parent.mkdir(parents=True)
        late.write_text("{}")

    timer = threading.Timer(0.4, make)
    timer.start()
    assert wait_for(late, deadline_s=30.0).read_text() == "{}"
    timer.join()


@pytest.mark.fault("L15")
def test_a_file_that_never_shows_is_named_with_the_node_and_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(TransientStorageError, match=r"plan\.json did not show on \S+ within 0 s"):
        wait_for(tmp_path / "plan.json", deadline_s=0.2)


@pytest.mark.fault("C10")
def test_a_record_is_read_on_where_an_error_that_passes_cut_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {step}}}\n' for step in range(200)))
    monkeypatch.setattr("ftdist.io.jsonl.READ_BYTES", 100)
    opened, real = [0], Path.open

    def open_or_fail(file: Path, mode: str) -> IO[Any]:
        opened[0] += 1
        if opened[0] % 5 == 0:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(file))
        return real(file, mode)

    monkeypatch.setattr(Path, "open", open_or_fail)
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.001)
    assert [row["step"] for row in read_json_lines(path)] == list(range(200))
    assert opened[0] > 20
