"""Time stamps before a rank's lines: whole lines, nothing lost, nothing stopped."""

import errno
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, cast

import pytest
from ftdist_launch.logs.timestamps import (
    MAX_LINE_CHARS,
    TimestampedStream,
    now,
    split_timestamp,
)
from rich.console import Console

from ftdist.api.progress import Copy
from ftdist.cli.progress import Bar
from ftdist.rundir import RunDir

AT = "2026-11-23T21:30:01.123Z"


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stamped(written: io.StringIO) -> TimestampedStream:
    return TimestampedStream(written, clock=lambda: AT)


def test_timestamps_round_trip() -> None:
    # 2026-11-23 is day 20,780 after 1970-01-01; 21:30:01 is second 77,401 of it.
    assert split_timestamp(f"{AT} step 1") == (20_780 * 86_400 + 77_401 + 0.123, "step 1")
    assert split_timestamp(f"{AT} ") == (1795469401.123, "")
    assert split_timestamp(f"{now()} x")[1] == "x"
    assert split_timestamp(f"{AT}  two blanks")[1] == " two blanks"


@pytest.mark.parametrize(
    "line", ["", "step 1", "2026-11-23 21:30:01 x", "2026-13-23T21:30:01.123Z x", f"x {AT} y"]
)
def test_lines_without_a_timestamp_are_unchanged(line: str) -> None:
    assert split_timestamp(line) == (None, line)


def test_every_line_has_the_time_of_its_end(written: io.StringIO) -> None:
    times = iter(["T1", "T2"])
    stamped = TimestampedStream(written, clock=lambda: next(times))
    assert stamped.write("one\ntwo\n\nthr") == 12
    stamped.flush()
    assert written.getvalue() == "T1 one\nT1 two\nT1 \n"
    stamped.write("ee\n")
    assert written.getvalue().endswith("T1 \nT2 three\n")


def test_an_unterminated_line_is_flushed_at_exit(
    stamped: TimestampedStream, written: io.StringIO
) -> None:
    stamped.write("last words")
    assert written.getvalue() == ""
    stamped.finish()
    stamped.finish()
    assert written.getvalue() == f"{AT} last words\n"


def test_only_the_last_state_of_a_progress_bar_is_logged(
    stamped: TimestampedStream, written: io.StringIO
) -> None:
    for percent in range(0, 101, 10):
        stamped.write(f"\r{percent}%")
        stamped.flush()
    stamped.write("\nwindows\r\nback\r")
    stamped.write("wards\nempty \r\r\n")
    assert written.getvalue() == f"{AT} 100%\n{AT} windows\n{AT} wards\n{AT} empty \n"


def test_endless_lines_are_broken(stamped: TimestampedStream, written: io.StringIO) -> None:
    stamped.write("x" * (MAX_LINE_CHARS + 1))
    stamped.write("y\n")
    assert written.getvalue() == f"{AT} {'x' * (MAX_LINE_CHARS + 1)}\n{AT} y\n"


def test_lines_of_two_threads_do_not_mix(stamped: TimestampedStream, written: io.StringIO) -> None:
    stamped.write("of the ")
    other = threading.Thread(target=lambda: print("of the other", file=cast("TextIO", stamped)))
    other.start()
    other.join(timeout=10)
    stamped.write("first\n")
    assert written.getvalue() == f"{AT} of the other\n{AT} of the first\n"


def test_a_closed_output_stops_no_process(stamped: TimestampedStream, written: io.StringIO) -> None:
    written.close()
    assert stamped.write("x\n") == 2
    stamped.flush()
    stamped.finish()


def test_a_full_disk_stops_no_process() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:  # noqa: ARG002 - a stream's shape
            raise OSError(errno.ENOSPC, "No space left on device")

    stamped = TimestampedStream(Full())
    assert stamped.write("x\n") == 2
    stamped.finish()


def test_unencodable_characters_are_escaped() -> None:
    raw = io.BytesIO()
    stamped = TimestampedStream(io.TextIOWrapper(raw, encoding="ascii"), clock=lambda: "T")
    stamped.write("f\u00fcr\n")
    stamped.flush()
    assert raw.getvalue() == b"T f\\xfcr\n"


def test_other_attributes_are_those_of_the_wrapped_stream(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as file:
        stamped = TimestampedStream(file)
        assert stamped.fileno() == file.fileno()
        assert not stamped.isatty()
        assert stamped.encoding == "utf-8"
        assert not stamped.closed
    with pytest.raises(TypeError):
        stamped.write(b"bytes")  # type: ignore[arg-type]


def test_the_terminal_shows_neither_timestamps_nor_hidden_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, shown = tmp_path / "log", io.StringIO()
    lines = ["submitit INFO x", f"{AT} submitit INFO y", f"{AT} failed: no room.", f"{AT} step 1/9"]
    log.write_text("".join(f"{line}\n" for line in [*lines, f"{AT}  two blanks", f"{AT} "]))
    Copy(log).close()
    assert capsys.readouterr().out == "step 1/9\n two blanks\n\n"
    console = Console(file=shown, force_terminal=True, width=80)
    Bar(RunDir(tmp_path), log=log, steps=9, console=console).close()
    assert " two blanks" in shown.getvalue()
    assert not [word for word in ("submitit", "failed", "2026-") if word in shown.getvalue()]


EVERYTHING = """
import logging, os, sys, warnings
early = logging.getLogger("early")
early.addHandler(logging.StreamHandler(sys.stdout))
from ftdist_launch.logs.timestamps import add_timestamps
add_timestamps()
add_timestamps()
print("printed", "in", "pieces")
early.warning("logged by a logger of before")
logging.getLogger("late").warning("logged")
warnings.warn("warned")
os.system("echo not through Python")
print("partial", end="")
raise ValueError("first\\nsecond")
"""


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[[str], list[str]]:
    def run(code: str) -> list[str]:
        log = tmp_path / "log"
        environment = os.environ | {
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "PYTHONUNBUFFERED": "1",
        }
        with log.open("a") as file:
            subprocess.run(
                [sys.executable, "-c", code],
                stdout=file,
                stderr=file,
                env=environment,
                timeout=60,
                check=False,
            )
        return log.read_text().splitlines()

    return run


def test_prints_warnings_loggers_and_tracebacks_are_all_stamped_once(
    run_python: Callable[[str], list[str]],
) -> None:
    lines = run_python(EVERYTHING)
    bare = [split_timestamp(line)[1] for line in lines]
    without = [line for line in lines if split_timestamp(line)[0] is None]
    assert without == ["not through Python"]
    assert [line for line in bare if split_timestamp(line)[0] is not None] == []
    for output in (
        *("printed in pieces", "logged by a logger of before", "logged", "partial"),
        *("Traceback (most recent call last):", "ValueError: first", "second"),
    ):
        assert output in bare
    assert any("UserWarning: warned" in line for line in bare)
