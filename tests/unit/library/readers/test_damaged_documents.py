"""Damaged documents of every kind are read, or are bad rows; no reader raises another error."""

import random
import re
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from ftdist.library.readers import read_document
from ftdist.library.schema import BadRow, Document

CASES = Path(__file__).resolve().parents[4] / "benchmarks" / "reader_cases"
KINDS = {
    "docx/nested.docx": "docx",
    "epub/mixer.epub": "epub",
    "html/form.html": "html",
    "html/spans_mixed.html": "html",
    "markdown/mdx.md": "markdown",
    "odt/handbook.odt": "odf",
    "other/guide.rst": "rst",
    "other/lesson.srt": "subtitles",
    "other/manual.xml": "docbook",
    "other/notebook.ipynb": "notebook",
    "other/ticket.eml": "mail",
    "pdf/columns_by_row.pdf": "pdf",
    "pptx/training.pptx": "pptx",
    "xlsx/alarms.xlsx": "xlsx",
}
_TIMES = 12
_VALUES = (b'""', b'"-1"', b'"99999999999"', b'"x"', b">\xff\xfe<", b"-5", b"1e999")


@pytest.mark.parametrize("case", KINDS)
@pytest.mark.timeout(120)
def test_damaged_documents_are_read_or_bad(tmp_path: Path, case: str) -> None:
    chance = random.Random(case)
    data = (CASES / case).read_bytes()
    path = tmp_path / Path(case).name
    for _ in range(_TIMES):
        path.write_bytes(_damaged_zip(data, chance) or _damaged(data, chance))
        assert isinstance(read_document(path, name="a", kind=KINDS[case]), BadRow | Document)


def test_tabs_within_tabs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<h1>Lamp</h1><div role=tab>Red<div role=tab>Blue</div></div>"
        "<div role=tabpanel>Press red.</div><div role=tabpanel>Press blue.</div>"
    )
    document = read_document(path, name="a", kind="html")
    assert isinstance(document, Document)
    assert "Press red." in [block.text for block in document.blocks]


def _damaged_zip(data: bytes, chance: random.Random) -> bytes | None:
    """An archive with one damaged part, or, now and then and where it is none, None."""
    if not zipfile.is_zipfile(BytesIO(data)) or chance.random() < 0.2:
        return None
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        victim = chance.choice(archive.namelist())
        for name in archive.namelist():
            part = archive.read(name)
            copy.writestr(name, _damaged(part, chance) if name == victim else part)
    return out.getvalue()


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """The data cut, with bytes changed, removed or repeated, or with another value somewhere."""
    at, length = chance.randrange(max(1, len(data))), chance.randint(1, 200)
    match chance.randrange(5):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + chance.randbytes(2) + data[at + 2 :]
        case 2:
            return data[:at] + data[at + length :]
        case 3:
            return data[:at] + data[at // 2 : at // 2 + length] + data[at:]
    values = re.findall(rb'"[^"]{0,30}"|>[^<]{1,30}<|\d+', data) or [b""]
    return data.replace(chance.choice(values), chance.choice(_VALUES), chance.choice([1, -1]))
