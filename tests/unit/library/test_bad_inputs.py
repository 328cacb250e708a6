"""Files that cannot be used: each reported with its location, the reason and a remedy."""

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ftdist.config.compose import compose_curation
from ftdist.io.hashing import file_stamp
from ftdist.library.pipeline import curate
from ftdist.library.readers import read_document
from ftdist.library.readers.records.jsonl_rows import MAX_LINE
from ftdist.library.readers.rows.settings import BY_FORM
from ftdist.library.schema import BadRow, Document, Note
from ftdist.library.stages.read_shard import ReadSettings, SourceShard, read_shard
from ftdist.library.stats import CurationStats
from tests.support.documents.small_pdfs import pdf_of_pages

pytestmark = pytest.mark.timeout(280)

SETTINGS = ReadSettings(rows=BY_FORM, secrets="mask", personal="mask", keep=())


def _read(path: Path, kind: str, **more: Any) -> CurationStats:
    return read_shard(shard_of(path, kind, **more))


def shard_of(path: Path, kind: str, **more: Any) -> SourceShard:
    asked = {"stamp": file_stamp(path), "digest": path.name, "span": None, "first_row": 1, **more}
    return SourceShard(path=path, name=path.name, kind=kind, settings=SETTINGS, groups=None, size=1,
              cache=path.parent / "cache", **asked)  # fmt: skip


def _messages(stats: CurationStats) -> list[str]:
    return [f"{row['location']} {row['reason']} - {row['remedy']}" for row in stats.bad_rows]


TWO_ENCODINGS = "M\u00fcller geht. ".encode() * 5 + b"\ncaf\xe9 zu\n"


BAD: list[tuple[str, str, bytes, str]] = [
    (
        "a.txt", "text", TWO_ENCODINGS,
        "a.txt mixes UTF-8 with another encoding (line 2) - Save it as UTF-8.",
    ),
    (
        "a.html", "html", b"<html><p>" + TWO_ENCODINGS,
        "a.html mixes UTF-8 with another encoding (line 2) - Save it as UTF-8.",
    ),
    (
        "a.csv", "csv", b"question,answer\n" + TWO_ENCODINGS,
        "a.csv, row 1 mixes UTF-8 with another encoding (line 3) - Save it as UTF-8.",
    ),
    (
        "a.txt", "text", b"Begins as text.\n" * 5000 + b"\0\1\2",
        "a.txt contains NUL bytes (line 5001) - Remove it, or save it as text.",
    ),
    (
        "a.jsonl", "jsonl", b'{"text": "good"}\n{"text": "a\0b"}\n',
        "a.jsonl, row 2 is not valid JSON (Invalid control character at at character 12) - ",
    ),
    (
        "a.jsonl", "jsonl", b'{"text": {"a": [1]}}\n',
        "a.jsonl, row 1 has type dict instead of text in the text - ",
    ),
    (
        "a.yaml", "yaml", b"- 2026-13-45\n",
        "a.yaml, row 1 is not valid YAML (month must be in 1..12) - "
        "Correct it, or convert it to JSONL.",
    ),
    (
        "a.txt.gz", "text", gzip.compress(b"Some text of a page.", mtime=0)[:-9],
        "a.txt.gz cannot be decompressed: Compressed file ended before the end-of-stream marker "
        "was reached - Compress it again.",
    ),
    (
        "a.txt.gz", "text", gzip.compress(bytes(65 * 2**20), compresslevel=1, mtime=0),
        "a.txt.gz is larger than 64 MiB - "
        "Split it, or write its parts as rows of JSONL.",
    ),
    (
        "a.pdf", "pdf", pdf_of_pages("Hold the green button.", password="secret"),
        "a.pdf is encrypted - Save it without a password.",
    ),
    (
        "a.pdf", "pdf", pdf_of_pages("", ""),
        "a.pdf contains images of pages and no text - "
        "Run optical character recognition over it, for example with ocrmypdf.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "content", "messages"),
    BAD,
    ids=[messages.partition(" - ")[0] for *_, messages in BAD],
)
def test_unusable_file_is_reported_with_location_reason_and_remedy(
    tmp_path: Path, name: str, kind: str, content: bytes, messages: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert _messages(_read(tmp_path / name, kind)) == [messages]


def test_too_deeply_nested_html_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"<html>" + b"<div>" * 5000 + b"x")
    assert _messages(_read(tmp_path / "a.html", "html")) == [
        "a.html has elements more than 256 deep in each other - Remove it, or save its text."
    ]


def test_parquet_with_invalid_utf8_is_reported(tmp_path: Path) -> None:
    buffers = pyarrow.array([b"good", b"\xff\xfe"], pyarrow.binary()).buffers()
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet")
    messages = _messages(_read(tmp_path / "a.parquet", "parquet"))
    assert messages == ["a.parquet, row 1 is not UTF-8 text - Write it as UTF-8."]


def test_text_in_latin_1_is_read_with_a_note(tmp_path: Path) -> None:
    text = "Die Stra\u00dfe f\u00fchrt \u00fcber die gro\u00dfe Br\u00fccke. " * 20
    (tmp_path / "a.txt").write_bytes(text.encode("latin-1"))
    document = read_document(tmp_path / "a.txt", name="a.txt", kind="text")
    assert isinstance(document, Document)
    assert document.blocks[0].text == text.strip()
    assert [note.rule for note in document.notes] == ["encoding guessed"]


def test_pdf_with_empty_password_is_read_and_pages_without_text_are_noted(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf_of_pages("Hold the button.", "", "", password=""))
    document = read_document(tmp_path / "a.pdf", name="a.pdf", kind="pdf")
    assert isinstance(document, Document)
    assert [block.text for block in document.blocks] == ["Hold the button."]
    assert document.notes == (Note(rule="page without text", excerpt="pages 2, 3", count=2),)


def test_damaged_pdf_page_is_reported_by_number(tmp_path: Path) -> None:
    data = pdf_of_pages("One.", "Two.")
    (tmp_path / "a.pdf").write_bytes(data.replace(b"/Kids [4 0 R 6 0 R]", b"/Kids [4 0 R 9 0 R]"))
    bad = read_document(tmp_path / "a.pdf", name="a.pdf", kind="pdf")
    assert isinstance(bad, BadRow)
    assert f"{bad.location} {bad.reason}" == "a.pdf, page 2 is a damaged page"


LONG = """
import json, resource, sys
from pathlib import Path
from tests.unit.library.test_bad_inputs import _messages, _read
path = Path(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")
messages = _messages(_read(path, "jsonl"))
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(json.dumps([messages, int(peak.split()[1]) // 1024]))
"""


def test_a_1_gib_line_is_reported_within_bounded_memory(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:  # the middle is a hole, and takes no room on the disk
        file.write(b'{"text": "')
        file.seek(2**30)
        file.write(b'"}\n{"text": "good"}\n')
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LONG, path], capture_output=True, text=True, check=True, timeout=200
    )
    messages, peak_mib = json.loads(done.stdout)
    assert messages == [
        f"a.jsonl, row 1 is longer than {MAX_LINE >> 20} MiB - Split it, or remove it."
    ]
    assert peak_mib < 600, f"{peak_mib} MiB in {time.monotonic() - began:.0f} s"


def test_a_file_that_changes_while_read_is_reported_and_not_cached(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Read before it was whole.")
    size, *rest = file_stamp(path)
    stats = _read(path, "text", stamp=(size + 1, *rest))
    assert _messages(stats) == [
        "a.txt changes while it is read - Curate again once the file is complete."
    ]
    assert _read(path, "text").bad == 0


def _curate(tmp_path: Path, source: Path, *more: str, model: Any = None) -> Path:
    keys = ["library.name=w", f"library.root={tmp_path / 'libraries'}", "work.num_proc=1",
            f"library.sources=[{source}]", f"work.cache_dir={tmp_path / 'cache'}",
            *more]  # fmt: skip
    return curate(compose_curation(keys), model=model, log=lambda _: None).folder


def test_file_names_and_keys_that_are_not_utf8_are_shown_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("Open from nine.\n")
    rows = [
        '{"\\ud83d": "x", "b": "y"}',
        *(f'{{"question": "{n}?", "answer": "{n}"}}' for n in range(20)),
    ]
    rows.append('{"question": "Q?", "answer": "A", "note\\ud83d": "half \\ud83d"}')
    (folder / "rows.jsonl").write_text("\n".join(rows))
    made = _curate(
        tmp_path, folder, "library.on_invalid_row=skip", "library.max_invalid_fraction=0.05"
    )
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    assert [file["name"] for file in manifest["files"]] == ["caf\\xe9.md", "rows.jsonl"]
    assert manifest["bad_rows"][0]["reason"].endswith("its keys: b, \\ud83d")
    [example] = manifest["rules"]["unused key: note\\ud83d"]["examples"]
    assert example["excerpt"] == "half \\ud83d"
