import errno
import json
import resource
import stat
from pathlib import Path

import pytest

from ftdist.io.jsonl import append_json_line, read_json_lines, write_whole


def test_read_json_lines_skips_json_that_is_not_an_object(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('7\n[1]\nnull\n{"step": 1}\n')
    assert list(read_json_lines(path)) == [{"step": 1}]


def test_json_lines_are_private_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for step in range(3):
        append_json_line(path, {"step": step})
    assert [row["step"] for row in read_json_lines(path)] == [0, 1, 2]
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_write_whole_replaces_the_file_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_whole(path, json.dumps({"steps": 1}))
    write_whole(path, json.dumps({"steps": 2}))
    assert json.loads(path.read_text()) == {"steps": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_write_whole_keeps_the_old_file_on_a_write_error(
    tmp_path: Path,
) -> None:
    path = tmp_path / "scores.json"
    write_whole(path, "{}")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_whole(path, "x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert path.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [path]
