"""A curation that is killed, interrupted, or has no room: what is left, and what the next one does.

Processes here are real, started as a user starts them, and killed as a machine kills them.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ftdist.config.compose import compose_curation
from ftdist.errors import StorageError
from ftdist.library import pipeline as stages
from ftdist.library.pipeline import curate
from tests.support.processes import family, is_over, says
from tests.support.superuser import without_superuser

pytestmark = pytest.mark.timeout(280)

FILES = 8
ROWS = 300
_WAIT_S = 200


@dataclass(frozen=True)
class Bench:
    """Sources, and the library that an undisturbed curation makes of them."""

    sources: Path
    expected: dict[str, bytes]


def _keys(sources: Path, place: Path, *more: str, processes: int = 2) -> list[str]:
    return [
        "library.name=w",
        f"library.root={place / 'libraries'}",
        f"library.sources=[{sources}]",
        f"work.cache_dir={place / 'cache'}",
        f"work.num_proc={processes}",
        *more,
    ]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _write_rows(path: Path, *, number: int) -> None:
    rows = [
        {"question": f"What is part {number}-{row} for?", "answer": f"It lifts {row * number} kg."}
        for row in range(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _curate(
    sources: Path, place: Path, *more: str, processes: int = 2, said: list[str] | None = None
) -> Path:
    config = compose_curation(_keys(sources, place, *more, processes=processes))
    log: Callable[[str], None] = (lambda _: None) if said is None else said.append
    return curate(config, model=None, log=log).folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Eight files of conversations, and their library."""
    place = tmp_path_factory.mktemp("bench")
    sources = place / "sources"
    sources.mkdir()
    for number in range(FILES):
        _write_rows(sources / f"{number}.jsonl", number=number)
    return Bench(sources, _bytes(_curate(sources, place)))


def _command(*keys: str) -> list[str]:
    return [sys.executable, "-m", "ftdist", "curate", *keys]


@pytest.fixture
def started(bench: Bench, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A curation that has read some of its files, and not all."""
    process = subprocess.Popen(
        _command(*_keys(bench.sources, tmp_path)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _until(lambda: any((tmp_path / "cache" / "read").glob("[!.]*")))
    yield process
    process.kill()
    process.communicate()


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_S
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def _readers(process: "subprocess.Popen[str]") -> list[int]:
    return [pid for pid in family(process.pid) if "spawn_main" in says(pid)]


def _left(place: Path) -> list[str]:
    """What a curation forgot to clean up."""
    return [str(path) for path in place.rglob(".*.tmp")] + [
        str(path) for path in place.rglob(".*.old")
    ]


def test_killed_readers_are_restarted_and_the_library_is_identical(
    bench: Bench, tmp_path: Path, started: "subprocess.Popen[str]"
) -> None:
    first, *others = _readers(started)
    os.kill(first, signal.SIGKILL)
    for reader in others:
        with suppress(ProcessLookupError):  # the pool ends the others itself
            os.kill(reader, signal.SIGKILL)
    _, output = started.communicate(timeout=_WAIT_S)
    assert started.returncode == 0, output
    assert _bytes(tmp_path / "libraries" / "w") == bench.expected


def test_a_killed_curation_leaves_no_process_and_resumes(
    bench: Bench, tmp_path: Path, started: "subprocess.Popen[str]"
) -> None:
    others = family(started.pid)
    for reader in _readers(started):
        os.kill(reader, signal.SIGSTOP)  # so that not all is read before they notice
    started.send_signal(signal.SIGKILL)
    started.wait()
    _until(lambda: all(map(is_over, others)))
    assert not (tmp_path / "libraries" / "w").exists()
    known = len(list((tmp_path / "cache" / "read").glob("[!.]*")))
    said: list[str] = []
    folder = _curate(bench.sources, tmp_path, said=said)
    assert 0 < known < FILES
    assert said[0].endswith(f"with 2 processes, {known} from the cache")
    assert _bytes(folder) == bench.expected
    assert _left(tmp_path) == []


def test_ctrl_c_ends_a_curation_with_one_message_and_no_leftovers(
    tmp_path: Path, started: "subprocess.Popen[str]"
) -> None:
    others = family(started.pid)
    started.send_signal(signal.SIGINT)
    _, output = started.communicate(timeout=_WAIT_S)
    assert started.returncode == 130
    lines = [line for line in output.splitlines() if not line.startswith("curate: ")]
    assert lines == ["Interrupted; no process is left running."]
    _until(lambda: all(map(is_over, others)))
    assert not (tmp_path / "libraries").exists()
    assert _left(tmp_path / "cache" / "samples") == []


def test_a_full_disk_prints_one_message_and_exits_with_74(bench: Bench, tmp_path: Path) -> None:
    def no_file_above_four_kib() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        _command(*_keys(bench.sources, tmp_path)),
        capture_output=True, text=True, timeout=_WAIT_S, check=False,
        preexec_fn=no_file_above_four_kib,
    )  # fmt: skip
    output = [line for line in done.stderr.splitlines() if not line.startswith("curate: ")]
    assert done.returncode == 74, done.stderr
    assert len(output) == 2, done.stderr
    assert output[0].endswith("cannot be read or written: File too large.")
    assert output[1].startswith("To fix: free some space there")
    assert not (tmp_path / "libraries" / "w").exists()


def test_a_full_disk_in_numpy_writes_is_reported(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_full_disk(*_: object, **__: object) -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            np.zeros(1 << 20).tofile(full)  # an error without a number

    monkeypatch.setattr(stages, "select_rows", on_a_full_disk)
    with pytest.raises(StorageError, match="cannot be read or written: 1048576 requested") as error:
        _curate(bench.sources, tmp_path)
    assert error.value.remedy is not None
    assert error.value.remedy.startswith("free some space there")


def test_an_unwritable_output_prints_one_message_and_exits_with_74(
    bench: Bench, tmp_path: Path
) -> None:
    root = tmp_path / "libraries"
    root.mkdir(mode=0o555)
    done = subprocess.run(
        [*without_superuser(), *_command(*_keys(bench.sources / "1.jsonl", tmp_path))],
        capture_output=True, text=True, timeout=_WAIT_S, check=False,
    )  # fmt: skip
    output = [line for line in done.stderr.splitlines() if not line.startswith("curate: ")]
    assert done.returncode == 74, done.stderr
    assert output == [
        f"The library cannot be written to {root / 'w'}: Permission denied.",
        "To fix: free some space, or set library.root to a folder of your own.",
    ]


def test_concurrent_curations_leave_one_complete_library(bench: Bench, tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            _command(
                *_keys(bench.sources / "1.jsonl", tmp_path, f"synthesis.paraphrases={wordings}")
            ),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for wordings in (1, 3)
    ]  # fmt: skip
    output = [process.communicate(timeout=_WAIT_S)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    made = _bytes(tmp_path / "libraries" / "w")
    alone = [
        _bytes(_curate(bench.sources / "1.jsonl", tmp_path, f"synthesis.paraphrases={wordings}"))
        for wordings in (1, 3)
    ]
    assert alone[0] != alone[1]
    assert made in alone
    assert _left(tmp_path) == []


@pytest.mark.slow
def test_output_is_identical_for_any_num_proc_and_after_reverted_changes(
    bench: Bench, tmp_path: Path
) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    for number in range(4):
        shutil.copy(bench.sources / f"{number}.jsonl", sources)
    said: list[str] = []
    one = _bytes(_curate(sources, tmp_path, processes=1, said=said))
    other = _bytes(_curate(sources, tmp_path / "other", processes=3))
    assert other == one
    _write_rows(sources / "2.jsonl", number=99)
    changed = _bytes(_curate(sources, tmp_path, processes=3, said=said))
    _write_rows(sources / "2.jsonl", number=2)
    back = _bytes(_curate(sources, tmp_path, processes=3, said=said))
    assert changed != one
    assert back == one
    known = [line.rpartition(", ")[2] for line in said if "from the cache" in line]
    assert known == [f"{number} from the cache" for number in (0, 3, 4)]
