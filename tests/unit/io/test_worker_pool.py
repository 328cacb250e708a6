"""Work in processes: results in order, and a process that dies takes nothing but its own task."""

import multiprocessing
import os
import time
from multiprocessing import connection
from pathlib import Path

import pytest

from ftdist.io.worker_pool import map_in_order

pytestmark = pytest.mark.timeout(60)


def _double_late_first(task: int) -> int:
    time.sleep(0.2 if task == 0 else 0)
    return 2 * task


def _dies_of_three(task: int) -> int:
    if task == 3:
        os._exit(9)
    return 2 * task


def test_results_come_in_task_order() -> None:
    results = map_in_order(_double_late_first, range(6), processes=2, on_crash=lambda _: -1)
    assert list(results) == [0, 2, 4, 6, 8, 10]


def test_a_task_that_kills_its_process_does_not_lose_the_others() -> None:
    results = map_in_order(_dies_of_three, range(6), processes=2, on_crash=lambda task: -task)
    assert list(results) == [0, 2, 4, -3, 8, 10]


def test_no_process_is_left_after_the_last_result() -> None:
    others = multiprocessing.active_children()
    results = map_in_order(_double_late_first, [1, 2], processes=2, on_crash=lambda _: -1)
    assert [next(results), next(results)] == [2, 4]
    assert multiprocessing.active_children() == others


def _fails_when_it_is_there(task: tuple[Path, bool]) -> None:
    begun, waits = task
    if waits:
        begun.touch()
        time.sleep(600)
    while not begun.exists():
        time.sleep(0.05)
    raise ValueError("no room")


def test_an_error_in_one_task_ends_the_others(tmp_path: Path) -> None:
    others = multiprocessing.active_children()
    tasks = [(tmp_path / "begun", False), (tmp_path / "begun", True)]
    with pytest.raises(ValueError, match="no room"):
        list(map_in_order(_fails_when_it_is_there, tasks, processes=2, on_crash=lambda _: None))
    left = [child for child in multiprocessing.active_children() if child not in others]
    # its end itself: `is_alive` is wrong for a moment while the pool's thread takes the exit status
    assert all(connection.wait([child.sentinel], timeout=20) for child in left)


def test_a_task_without_retries_is_replaced_at_once(tmp_path: Path) -> None:
    tasks = [tmp_path / "tries"]
    assert list(map_in_order(_dies_and_counts, tasks, processes=1, on_crash=str, retry=False)) == [
        str(tasks[0])
    ]
    assert tasks[0].read_text() == "x"


def _dies_and_counts(task: Path) -> str:
    with task.open("a") as file:
        file.write("x")
    os._exit(9)
