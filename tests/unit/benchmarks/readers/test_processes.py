"""A reader in its own process answers document after document, errors included."""

import sys
from pathlib import Path

import pytest

from benchmarks.readers import processes
from benchmarks.readers.candidates import CANDIDATES
from benchmarks.readers.child import READERS


def test_every_candidate_has_its_reader() -> None:
    assert [candidate.name for candidate in CANDIDATES] == list(READERS)


def test_a_process_answers_with_text_or_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "CACHE", tmp_path)
    page = tmp_path / "page.html"
    page.write_text("<h1>Kiln</h1><p>Wait 15 minutes.</p>", encoding="utf-8")
    process = processes.ReaderProcess(CANDIDATES[0], python=Path(sys.executable))
    try:
        missing = process.read(tmp_path / "missing.html")
        answer = process.read(page)
    finally:
        process.close()
    assert missing.error.startswith("FileNotFoundError")
    assert "Wait 15 minutes." in answer.text
    assert answer.seconds > 0
    assert answer.error == ""
