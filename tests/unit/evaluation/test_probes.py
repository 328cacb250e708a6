"""Reading probes: what cannot be used is named by file and line, with a remedy."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.errors import DataError
from ftdist.evaluation.probes import find_probes, read_probes

GOOD: dict[str, Any] = {
    "question": "How do I reset it?",
    "answer": "Hold the green button (manual, page 12).",
    "keys": ["green button"],
    "kind": "fact",
}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{not json", "is not JSON"),
        (["a"], "holds list, not an object"),
        (without("question"), "has no question"),
        (without("answer"), "has no answer"),
        (GOOD | {"answer": "  "}, "its answer is '  ', not text"),
        (GOOD | {"question": 7}, "its question is 7, not text"),
        (without("kind"), "has no kind"),
        (GOOD | {"kind": "memory"}, "has the kind 'memory'"),
        (GOOD | {"kind": ["fact"]}, "has the kind ['fact']"),
        (GOOD | {"keys": "green button"}, 'its keys are "green button", not a list of texts'),
        (GOOD | {"keys": [9]}, "its keys are [9], not a list of texts"),
        (GOOD | {"keys": ["!"]}, "its keys hold '!'"),
        (GOOD | {"choices": {"a": 1}}, 'its choices are {"a": 1}, not a list of texts'),
        (GOOD | {"choices": ["Paris"]}, "has 1 choices"),
        (GOOD | {"choices": ["Rome", "rome"]}, "has 2 choices, or two that are the same"),
        (GOOD | {"choices": ["Rome", "Oslo"]}, "none of its 2 choices is its answer"),
        (GOOD | {"section": 3}, "its section is 3, not text"),
        (GOOD | {"key": ["green"]}, "has the field 'key'"),
        (GOOD | {"question": "\ud83d lamp?"}, "contains half a character"),
        (GOOD | {"keys": ["\ude00"]}, "contains half a character"),
    ],
)
def test_bad_row_is_named_by_file_and_line(tmp_path: Path, row: Any, problem: str) -> None:
    path = tmp_path / "probes.jsonl"
    text = row if isinstance(row, str) else json.dumps(row)
    path.write_text(f"{json.dumps(GOOD)}\n\n{text}\n")
    with pytest.raises(DataError) as caught:
        read_probes(path)
    assert caught.value.problem.startswith(f"{path}:3")
    assert problem in caught.value.problem
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("content", "problem"), [(b"", "holds no probe"), (b"\xff\xfe{}", "is not UTF-8")]
)
def test_unusable_probe_files_are_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "probes.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read_probes(path)
    with pytest.raises(DataError, match="cannot be read from"):
        read_probes(tmp_path / "none.jsonl")


def test_an_out_of_scope_probe_needs_leak_keys(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    out_of_scope = GOOD | {"kind": "out_of_scope", "keys": []}
    path.write_text(json.dumps(out_of_scope))
    with pytest.raises(DataError, match="neither fact probes nor keys"):
        read_probes(path)
    path.write_text(json.dumps(out_of_scope | {"keys": ["green button"]}))
    assert read_probes(path)[0].keys == ("green button",)


def test_without_keys_the_answer_without_its_citation_is_the_key(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    path.write_text(json.dumps(without("keys")))
    assert read_probes(path)[0].keys == ("Hold the green button.",)


def test_right_choice_is_found_by_answer_or_by_keys(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    choices = {"kind": "general", "choices": ["Rome", "Paris", "Oslo"]}
    for answer, keys in (("paris", []), ("It is Paris.", ["Paris"]), ("It is Paris.", [])):
        path.write_text(json.dumps(GOOD | choices | {"answer": answer, "keys": keys}))
        assert read_probes(path)[0].right_choice == 1


def test_unknown_probe_fields_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    path.write_text("\ufeff" + json.dumps(GOOD | {"id": 7, "source": "manual"}))
    assert len(read_probes(path)) == 1


def test_document_and_section_are_preserved(tmp_path: Path) -> None:
    path = tmp_path / "probes.jsonl"
    place = {"document": " guide.pdf ", "section": "Errors > E17"}
    path.write_text(f"{json.dumps(GOOD | place)}\n{json.dumps(GOOD | {'document': None})}")
    first, second = read_probes(path)
    assert (first.document, first.section) == ("guide.pdf", "Errors > E17")
    assert (second.document, second.section) == ("", "")


def test_probes_are_found_in_the_library_then_in_its_parent(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    with pytest.raises(DataError, match=r"There is no probes\.jsonl in or next to"):
        find_probes(None, library=library)
    (tmp_path / "probes.jsonl").touch()
    assert find_probes(None, library=library) == tmp_path / "probes.jsonl"
    assert find_probes(None, library=tmp_path / "chats.jsonl") == tmp_path / "probes.jsonl"
    (library / "probes.jsonl").touch()
    assert find_probes(None, library=library) == library / "probes.jsonl"
    assert find_probes(str(tmp_path / "probes.jsonl"), library=library).parent == tmp_path
    with pytest.raises(DataError, match="There is no probe file"):
        find_probes(str(tmp_path / "other.jsonl"), library=library)
    with pytest.raises(DataError, match="library is a folder, not a probe file"):
        find_probes(str(library), library=library)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"question": ' + "1" * 5000 + "}", "is not JSON"),
        (
            '{"question": "q", "answer": "Press the red knob.", "keys": ["green"], "kind": "fact"}',
            "does not hold its own key 'green'",
        ),
    ],
)
def test_unanswerable_or_malformed_probes_are_refused(
    tmp_path: Path, line: str, reason: str
) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(DataError) as caught:
        read_probes(file)
    assert f"{file}:1" in caught.value.problem
    assert reason in caught.value.problem


def test_evidence_and_form_are_read_and_a_kind_without_an_answer_needs_none(tmp_path: Path) -> None:
    rows = [
        {"kind": "fact", "question": "Which one weighs 4 kg?", "answer": "The FP-300.",
         "keys": ["FP-300"], "form": "reverse", "evidence": "Weight of the FP-300: 4 kg"},
        {"kind": "fact", "question": "What does it weigh?", "answer": "4 kg", "form": "reworded"},
        {"kind": "unanswerable", "question": "How loud is the FP-300?"},
        {"kind": "out_of_scope", "question": "How do I reset a toaster?", "answer": ""},
    ]  # fmt: skip
    path = tmp_path / "probes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    reverse, plain, unanswerable, other = read_probes(path)

    assert reverse.evidence == "Weight of the FP-300: 4 kg"
    assert (reverse.is_plain_fact, plain.is_plain_fact) == (False, True)
    assert (unanswerable.answer, unanswerable.keys, other.answer) == ("", (), "")
