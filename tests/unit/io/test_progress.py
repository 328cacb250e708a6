"""Progress lines of long stages."""

import re
import time

import pytest

from ftdist.io import progress
from ftdist.io.progress import Heartbeat, report_progress


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_progress_shows_done_rate_and_eta_without_counting_earlier_work(
    clock: Clock,
) -> None:
    said: list[str] = []
    results = report_progress("abcd", sizes=[0, 6 << 20, 2 << 20, 4 << 20], log=said.append)
    assert next(results) == "a"
    clock.now = 3.0
    assert next(results) == "b"
    assert said == []  # no five seconds yet
    clock.now = 8.0
    assert list(results) == ["c", "d"]
    # 8 of 12 MiB in 8 seconds: the other 4 take 4 more.
    assert said == ["8 of 12 MiB, 1.0 MiB/s, 4s left"]


def test_no_progress_is_printed_without_work(clock: Clock) -> None:
    said: list[str] = []
    for _ in report_progress("ab", sizes=[0, 0], log=said.append):
        clock.now += 60
    assert said == []


def test_progress_prints_at_most_100_lines(clock: Clock) -> None:
    said: list[str] = []
    for _ in report_progress(range(1_000), sizes=[1 << 20] * 1_000, log=said.append):
        clock.now += 60
    assert len(said) == 100
    assert all(
        re.fullmatch(r"[\d,]+ of 1,000 MiB, 0\.0 MiB/s, (\d+h\d\dm|\d+m\d\ds|\d+s) left", s)
        for s in said
    )


def test_a_silent_log_repeats_its_last_line_with_the_time_spent() -> None:
    lines: list[str] = []
    with Heartbeat(lines.append, silent_s=0.05) as log:
        log("curate: base model: 0/80")
        deadline = time.monotonic() + 20
        while len(lines) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        log("curate: base model: 80/80")
    count = len(lines)
    time.sleep(0.2)
    assert lines[0] == "curate: base model: 0/80"
    assert lines[1] == "curate: base model: 0/80 ... still at work, 0 s"
    assert lines[2].startswith("curate: base model: 0/80 ... still at work")
    assert len(lines) == count


def test_small_sources_are_counted_in_parts_and_not_in_mib(clock: Clock) -> None:
    said: list[str] = []
    for _ in report_progress("ab", sizes=[1000, 1000], log=said.append):
        clock.now += 60
    assert said == ["2 of 2 parts, 0s left"]
