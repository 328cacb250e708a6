"""The hand-written questions: valid probes, each once, answered by the library in other words."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.recipe.libraries import LIBRARIES, documents
from benchmarks.recipe.questions import (
    OUT_OF_SCOPE,
    all_questions,
    read_questions,
    with_evidence,
    write_probes,
)
from ftdist.evaluation.probes import read_probes
from ftdist.text.matching import contains_words, words

FETCHED = ("zaragoza", "nut", "manual")


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The documents of a library that needs no package."""
    return documents(LIBRARIES[request.param], root=tmp_path)


@pytest.mark.parametrize("name", [*LIBRARIES, OUT_OF_SCOPE])
def test_each_question_is_asked_once_and_is_a_question_or_a_request(name: str) -> None:
    asked = [words(row["question"]) for row in read_questions(name)]
    assert not [question for question, times in Counter(asked).items() if times > 1]


@pytest.mark.parametrize("name", list(LIBRARIES))
def test_no_question_gives_its_answer_away(name: str) -> None:
    for row in read_questions(name):
        for key in row["keys"] if row["kind"] == "fact" else ():
            assert not contains_words(row["question"], key), row["question"]


@pytest.mark.parametrize("name", list(LIBRARIES))
def test_ftdist_reads_a_questions_file_and_each_key_is_in_its_answer(
    name: str, tmp_path: Path
) -> None:
    rows = read_questions(name)
    probes = read_probes(write_probes(rows, tmp_path / "probes.jsonl"))
    assert len(probes) == len(rows)
    forms = Counter(probe.form for probe in probes if probe.kind == "fact")
    assert {"reverse", "two_facts"} <= forms.keys()
    kinds = Counter(probe.kind for probe in probes)
    assert kinds["unanswerable"] >= 8


@pytest.mark.parametrize(
    ("name", "facts"),
    [("zaragoza", 60), ("nut", 45), ("catalogue", 80), ("coffee", 100), ("manual", 60)],
)
def test_a_library_has_as_many_questions_about_facts_as_its_figure_needs(
    name: str, facts: int
) -> None:
    rows = read_questions(name)
    assert sum(row.get("form") == "reworded" for row in rows) >= facts


def test_forty_questions_about_other_things_are_shared() -> None:
    rows = read_questions(OUT_OF_SCOPE)
    assert len(rows) == 40
    assert {row["kind"] for row in rows} == {"out_of_scope"}


def test_every_property_of_the_catalogue_is_asked_for(tmp_path: Path) -> None:
    folder = documents(LIBRARIES["catalogue"], root=tmp_path)
    answers = {row["answer"] for row in read_questions("catalogue") if row["kind"] == "fact"}
    for path in sorted(folder.iterdir()):
        text = path.read_text(encoding="utf-8")
        values = [
            line.split("|")[2].strip()
            for line in text.splitlines()
            if line.startswith("|") and "---" not in line and "Property" not in line
        ] or [
            line.split("<td>")[2].removesuffix("</td></tr>")
            for line in text.splitlines()
            if "<td>" in line
        ]
        assert len(values) >= 9
        assert set(values) <= answers


@pytest.mark.parametrize("folder", ["a45", "catalogue", "coffee"], indirect=True)
def test_evidence_holds_every_key_and_no_question_stands_in_the_documents(folder: Path) -> None:
    _check_against_documents(folder.name, folder)


@pytest.mark.parametrize("name", FETCHED)
def test_evidence_of_fetched_documents_holds_every_key(name: str) -> None:
    folder = Path(__file__).parents[4] / ".cache" / "recipe" / "documents" / name
    if not folder.is_dir():
        pytest.skip(f"not fetched: python -m benchmarks.recipe {name} --dry-run")
    _check_against_documents(name, folder)


def _check_against_documents(name: str, folder: Path) -> None:
    texts = [path.read_text(encoding="utf-8").casefold() for path in sorted(folder.iterdir())]
    for row in with_evidence(read_questions(name), folder=folder):
        if row["kind"] == "general":
            continue
        assert not any(row["question"].casefold() in text for text in texts), row["question"]
        if row["kind"] == "fact":
            missing = [key for key in row["keys"] if not contains_words(row["evidence"], key)]
            assert not missing, (row["question"], missing)


def test_evidence_about_the_coffee_machines_is_quoted_from_its_document(tmp_path: Path) -> None:
    folder = documents(LIBRARIES["coffee"], root=tmp_path)
    for row in read_questions("coffee"):
        if row["kind"] == "fact":
            text = re.sub(r"<[^>]*>", " ", (folder / row["document"]).read_text(encoding="utf-8"))
            for line in row["evidence"].splitlines():
                assert contains_words(text, line), line


def test_section_that_no_document_has_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Pump\n\nIt weighs 4 kg.\n", encoding="utf-8")
    row = {"kind": "fact", "question": "Q?", "answer": "4 kg", "document": "a.md"}
    (found,) = with_evidence([row], folder=tmp_path)
    assert "It weighs 4 kg." in found["evidence"]
    with pytest.raises(LookupError, match="no section 'Valve'"):
        list(with_evidence([row | {"section": "Valve"}], folder=tmp_path))


def test_written_probes_hold_the_questions_about_other_things(tmp_path: Path) -> None:
    folder = documents(LIBRARIES["catalogue"], root=tmp_path)
    path = write_probes(all_questions("catalogue", folder=folder), tmp_path / "probes.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum(row["kind"] == "out_of_scope" for row in rows) == 40
    assert all(row["evidence"] for row in rows if row["kind"] == "fact")
