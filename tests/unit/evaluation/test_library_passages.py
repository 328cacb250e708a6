"""The library as passages to search."""

import json
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.data.messages import Message
from ftdist.evaluation.library_passages import (
    MAX_WORDS,
    LibraryPassage,
    _cut,
    _of_samples,
    library_passages,
)
from ftdist.library.schema import MadeBy, Sample
from ftdist.library.store.samples import write_samples
from ftdist.prepare.data_files import SourceFiles
from ftdist.text.matching import words

RESET = "Hold the green button for nine seconds."


def pair(question: str, answer: str, made_by: MadeBy, doc_id: str) -> Sample:
    messages = (
        Message(role="user", content=question),
        Message(role="assistant", content=answer),
    )
    return Sample(messages=messages, location=doc_id, made_by=made_by, doc_id=doc_id)


def test_documents_give_their_passages_and_rows_their_questions_as_written(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    samples = [
        Sample(text="Reset\n\n" + RESET, location="m.md", made_by="passage", doc_id="m.md"),
        pair("What about Reset?", RESET, "heading", "m.md"),
        pair("How do I reset it?", RESET, "as written", "faq.csv, row 1"),
        pair("What resets it?", RESET, "wording", "faq.csv, row 1"),
        pair("Is it red?", "Yes.", "as written", "faq.csv, row 2"),
        pair("Is it loud?", "Yes.", "as written", "faq.csv, row 3"),
    ]
    write_samples(path, samples)
    files = SourceFiles(root=tmp_path, files=(path,), ignored=(), key="", is_curated=True)
    assert list(_of_samples(files)) == [
        LibraryPassage("Reset\n\n" + RESET, "m.md"),
        LibraryPassage("How do I reset it?\n" + RESET, "faq.csv, row 1"),
        LibraryPassage("Is it red?\nYes.", "faq.csv, row 2"),
        LibraryPassage("Is it loud?\nYes.", "faq.csv, row 3"),
    ]


def test_conversations_as_jsonl_give_each_answer_once(tmp_path: Path) -> None:
    rows = [{"question": q, "answer": RESET} for q in ("How do I reset it?", "Reset it how?")]
    file = tmp_path / "lib" / "a.jsonl"
    file.parent.mkdir()
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = compose(["run.name=r", "model.path=m", f"library.path={file.parent}"])
    passages = library_passages(config)
    assert passages is not None
    assert [passage.text for passage in passages] == ["How do I reset it?\n" + RESET]


def test_a_library_of_too_much_text_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": "Reset?", "answer": RESET}) + "\n")
    config = compose(["run.name=r", "model.path=m", f"library.path={tmp_path}"])
    size = len(f"Reset?\n{RESET}")
    monkeypatch.setattr("ftdist.evaluation.library_passages.MAX_CHARACTERS", size)
    assert len(library_passages(config) or ()) == 1
    monkeypatch.setattr("ftdist.evaluation.library_passages.MAX_CHARACTERS", size - 1)
    assert library_passages(config) is None


def test_a_long_text_is_cut_into_passages_under_its_title() -> None:
    body = "".join(f"Step {n} needs nine words to say what it does. " for n in range(100))
    pieces = _cut("Manual > Reset\n\n" + body)
    assert all(piece.startswith("Manual > Reset\n\nStep") for piece in pieces)
    assert all(len(words(piece)) <= MAX_WORDS for piece in pieces)
    said = "".join(piece.removeprefix("Manual > Reset\n\n") + " " for piece in pieces)
    assert said.split() == body.split()


def test_a_text_without_sentences_is_cut_too() -> None:
    pieces = _cut("水" * 700)
    assert max(len(words(piece)) for piece in pieces) <= MAX_WORDS
    assert "".join(pieces) == "水" * 700
