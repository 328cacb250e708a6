"""The logs of many ranks as one: in order, a piece at a time, while they grow."""

from pathlib import Path

import pytest
from ftdist_launch.logs.merge import CHUNK_BYTES, LogFile
from ftdist_launch.logs.timestamps import MAX_LINE_CHARS

from tests.support.runs.rank_logs import at, merged, texts, write


def test_lines_of_all_ranks_come_in_order_of_time(tmp_path: Path) -> None:
    zero = write(tmp_path / "1_0_log.out", f"{at(1)} a", f"{at(3)} c", f"{at(3.5)} e")
    one = write(tmp_path / "1_1_log.out", f"{at(2)} b", f"{at(3)} d")
    lines = list(merged(one, zero).remaining())
    assert texts(iter(lines)) == ["0 a", "1 b", "0 c", "1 d", "0 e"]
    assert [line.time - 999_999_960 for line in lines] == [1, 2, 3, 3, 3.5]


def test_lines_without_a_time_follow_the_line_before(tmp_path: Path) -> None:
    zero = write(
        tmp_path / "1_0_log.out", "submitit begins", f"{at(1)} a", "from C++", f"{at(9)} b"
    )
    one = write(tmp_path / "1_1_log.out", f"{at(5)} c")
    assert texts(merged(zero, one).remaining()) == [
        *("0 submitit begins", "0 a", "0 from C++", "1 c", "0 b"),
    ]


def test_a_clock_set_back_does_not_reorder_a_log(tmp_path: Path) -> None:
    zero = write(tmp_path / "1_0_log.out", f"{at(5)} a", f"{at(2)} b")
    one = write(tmp_path / "1_1_log.out", f"{at(4)} c", f"{at(6)} d")
    assert texts(merged(zero, one).remaining()) == ["1 c", "0 a", "0 b", "1 d"]


def test_long_logs_are_merged_a_piece_at_a_time(tmp_path: Path) -> None:
    files = []
    for rank in range(3):
        stamps = [at(second * 3 + rank) for second in range(19)]
        lines = [f"{stamp} {'x' * (CHUNK_BYTES // 4)}{stamp}" for stamp in stamps]
        files.append(write(tmp_path / f"1_{rank}_log.out", *lines))
    merge = merged(*files)
    most = 0
    times = []
    for line in merge.remaining():
        times.append(line.time)
        most = max(most, *(len(log._lines) for log in merge._logs.values()))
    assert times == [999_999_960 + second for second in range(57)]
    assert most <= 5  # a piece holds four such lines, and a fifth that began in the one before


def test_overlong_lines_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "1_0_log.out"
    path.write_text("x" * (3 * MAX_LINE_CHARS))
    pieces = [line.text for line in merged(LogFile(path=path, rank=0)).remaining()]
    assert "".join(pieces) == "x" * (3 * MAX_LINE_CHARS)
    assert max(map(len, pieces)) <= MAX_LINE_CHARS + CHUNK_BYTES


def test_part_of_a_log_is_by_time(tmp_path: Path) -> None:
    lines = [f"{at(1)} a", f"{at(2)} b", "C++", f"{at(3)} c"]
    path = write(tmp_path / "1_0_log.out", *lines).path
    by_time = LogFile(path=path, rank=0, since=999_999_962, before=999_999_963)
    assert texts(merged(by_time).remaining()) == ["0 b", "0 C++"]


def test_a_growing_log_is_followed_in_whole_lines(tmp_path: Path) -> None:
    file = write(tmp_path / "1_0_log.out", f"{at(1)} a")
    merge = merged(file)
    with file.path.open("a") as log:
        log.write(f"{at(2)} b")
    assert texts(merge.available(hold_back_s=0)) == ["0 a"]
    with file.path.open("a") as log:
        log.write("c\n")
    merge.add([file, write(tmp_path / "1_1_log.out", f"{at(3)} d")])
    assert texts(merge.available(hold_back_s=0)) == ["0 bc", "1 d"]
    assert texts(merge.available(hold_back_s=0)) == []
    with file.path.open("a") as log:
        log.write("last words")
    assert texts(merge.remaining()) == ["0 last words"]


def test_a_new_line_waits_for_older_ones_of_other_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = [999_999_970.0]
    monkeypatch.setattr("ftdist_launch.logs.merge.time.time", lambda: wall[0])
    zero = write(tmp_path / "1_0_log.out", f"{at(8)} old", f"{at(9.5)} new", f"{at(50)} ahead")
    merge = merged(zero)
    assert texts(merge.available(hold_back_s=1)) == ["0 old"]
    merge.add([write(tmp_path / "1_1_log.out", f"{at(9.2)} late")])
    wall[0] += 0.6
    assert texts(merge.available(hold_back_s=1)) == ["1 late", "0 new"]
    # A host whose clock goes ahead of ours: its lines wait no longer than others.
    wall[0] += 0.4
    assert texts(merge.available(hold_back_s=1)) == ["0 ahead"]
