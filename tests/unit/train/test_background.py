"""Work in a thread hands its value or its failure to whoever asks."""

import threading

import pytest

from ftdist.errors import StorageError
from ftdist.train.background import BackgroundWork, IsCancelled


def test_the_value_is_waited_for() -> None:
    go = threading.Event()

    def action(_: IsCancelled) -> int:
        go.wait(30)
        return 7

    work = BackgroundWork(action, name="seven")
    assert not work.is_done
    go.set()
    assert work.result() == 7
    assert work.is_done


def test_a_failure_is_raised_where_the_value_is_asked_for() -> None:
    def action(_: IsCancelled) -> int:
        raise StorageError("The disk is full.", remedy="make room.")

    work = BackgroundWork(action, name="failing")
    with pytest.raises(StorageError, match="full"):
        work.result()
    assert work.is_done


def test_cancelled_work_stops_early() -> None:
    stopped = threading.Event()

    def action(is_cancelled: IsCancelled) -> None:
        while not is_cancelled():
            pass
        stopped.set()

    BackgroundWork(action, name="endless").cancel(patience_s=30)
    assert stopped.is_set()
