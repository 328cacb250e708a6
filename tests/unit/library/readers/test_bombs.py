"""Files made to take all memory, time or disk: each is refused with its reason, within bounds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftdist.io.compression import open_data
from ftdist.library.readers import read_document
from ftdist.library.readers.filetypes.detect import detect_kind
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow
from tests.support.documents.bombs import BOMBS, text_gz
from tests.support.tiers import TESTS

REASONS = {
    "paragraphs.docx": "holds 60 MiB in a part that is packed more than 100-fold",
    "laughs.docx": "Maximum entity amplification factor exceeded",
    "deep.html": "has elements more than 256 deep in each other",
    "spans.html": "has a table of more than 1000000 cells",
    "laughs.xml": "Maximum entity amplification factor exceeded",
    "deep.jsonl": "is not JSON that can be read (maximum recursion depth exceeded",
    "aliases.yaml": "has none of the known formats",
}
"""Those that a look is enough for."""

MEASURE = """
import json, resource, sys
from pathlib import Path
from ftdist.io.worker_pool import map_in_order
from ftdist.library.readers.filetypes.detect import detect_kind
from ftdist.library.stages.read_shard import unreadable, read_shard
from tests.unit.library.test_bad_inputs import shard_of

if __name__ == "__main__":
    path = Path(sys.argv[1])
    shard = shard_of(path, detect_kind(path), memory_gib=1.0, cpu_s=4.0)
    [stats] = map_in_order(read_shard, [shard], processes=1, on_crash=unreadable)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps([stats.bad_rows[0]["reason"], used.ru_maxrss / 2**20, used.ru_utime]))
"""


@pytest.mark.parametrize("name", REASONS)
@pytest.mark.fault("XE", "M12")
def test_bombs_are_refused_at_a_look(tmp_path: Path, name: str) -> None:
    path = BOMBS[name](tmp_path / name)
    kind = detect_kind(path)
    assert isinstance(kind, str)
    if kind in ("jsonl", "yaml"):
        [row] = read_conversations(path, name=name, kind=kind)
    else:
        row = read_document(path, name=name, kind=kind)
    assert isinstance(row, BadRow)
    assert REASONS[name] in row.reason


@pytest.mark.fault("XE", "M12")
def test_compressed_rows_that_hold_too_much_are_refused(tmp_path: Path) -> None:
    path = text_gz(tmp_path / "a.jsonl.gz", mib=200)
    packed, read = path.stat().st_size, 0
    with open_data(path) as file, pytest.raises(EOFError, match="hold more than") as caught:  # noqa: PT012
        while data := file.read(2**20):
            read += len(data)
    assert str(caught.value).startswith(
        f"its {packed} bytes hold more than {200 * packed >> 20} MiB"
    )
    assert read <= 200 * packed < 200 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("forms.pdf", "ends the process that reads it"),
        ("text.pdf", "ends the process that reads it"),
        ("value.parquet", "takes more than 1 GiB of memory to read"),
        ("string.xlsx", "takes more than"),
        ("repeated.ods", "takes more than"),
        ("zeros.docx", "packed more than 100-fold"),
    ],
)
@pytest.mark.fault("XE", "M12")
def test_bombs_end_within_memory_and_time(tmp_path: Path, name: str, reason: str) -> None:
    path = BOMBS[name](tmp_path / name)
    script = tmp_path / "measure.py"
    script.write_text(MEASURE)
    done = subprocess.run(
        [sys.executable, str(script), str(path)],
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
    )
    assert done.returncode == 0, done.stderr
    said, gib, seconds = json.loads(done.stdout)
    assert reason in said
    assert gib < 2.0
    assert seconds < 60  # 4 s, of native code 10 s more, twice if its process was ended
