"""Work in processes: results in order, and a process that dies takes nothing but its own task."""

import os
import time

import pytest

from ftdist.library.pool import in_order

pytestmark = pytest.mark.timeout(60)


def _double_late_first(task: int) -> int:
    time.sleep(0.2 if task == 0 else 0)
    return 2 * task


def _dies_of_three(task: int) -> int:
    if task == 3:
        os._exit(9)
    return 2 * task


def test_results_come_in_the_order_of_the_tasks_whichever_is_done_first() -> None:
    results = in_order(_double_late_first, range(6), processes=2, if_it_dies=lambda _: -1)
    assert list(results) == [0, 2, 4, 6, 8, 10]


def test_a_task_that_ends_its_process_is_replaced_and_all_others_are_done() -> None:
    results = in_order(_dies_of_three, range(6), processes=2, if_it_dies=lambda task: -task)
    assert list(results) == [0, 2, 4, -3, 8, 10]
