"""General questions and texts of the user's own: what cannot be used is named."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import EvalConfig
from ftdist.errors import DataError
from ftdist.evaluation.eval_set import EvalSet, read_eval_set
from ftdist.evaluation.probes import read_probes

RECALL = {"question": "q?", "answer": "a", "kind": "fact"}
GENERAL = {"question": "6 or 7?", "answer": "6", "kind": "general", "choices": ["7", "6"]}


def read(tmp_path: Path, *, general: str = "none", texts: str = "none") -> EvalSet:
    (tmp_path / "probes.jsonl").write_text(json.dumps(RECALL))
    return read_eval_set(settings(general=general, texts=texts), library=tmp_path)


def settings(*, general: str, texts: str) -> EvalConfig:
    words = ["model.path=m", "library.path=l", "run.name=r"]
    return compose(
        [
            *words,
            f"eval.general_questions={general}",
            f"eval.perplexity_texts={texts}",
            "eval.num_instructions=0",
        ]
    ).eval


def test_none_adds_no_questions_to_the_probes(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert len(found.probes) == 1
    assert (found.general, found.texts) == ((), ())


def test_extra_probes_are_asked_after_those_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text(json.dumps({**RECALL, "question": "mine?"}))
    (tmp_path / "probes.jsonl").write_text(json.dumps(RECALL))
    plain = settings(general="none", texts="none")
    both = replace(plain, extra_probes=str(tmp_path / "own.jsonl"))
    found = read_eval_set(both, library=tmp_path)
    assert [probe.question for probe in found.probes] == ["q?", "mine?"]
    missing = replace(plain, extra_probes=str(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match=r"none\.jsonl"):
        read_eval_set(missing, library=tmp_path)


def test_passages_are_split_at_blank_lines_or_rows(tmp_path: Path) -> None:
    plain, rows = tmp_path / "texts.txt", tmp_path / "texts.jsonl"
    plain.write_text("\ufeff\n One line\nand another.\r\n \t\n\n\nA second.\n")
    rows.write_text('{"text": "One\\n\\npassage."}\n\n{"text": "A second.", "id": 7}\n')
    assert read(tmp_path, texts=str(plain)).texts == ("One line\nand another.", "A second.")
    assert read(tmp_path, texts=str(rows)).texts == ("One\n\npassage.", "A second.")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("t.txt", b" \n\n", "holds no text"),
        ("t.txt", b"\xff\xfe", "is not UTF-8"),
        ("t.txt.gz", gzip.compress(b"One.", mtime=0)[:-4], "is a damaged compressed file"),
        ("t.jsonl", b"{\n", "t.jsonl:1 is not JSON"),
        ("t.jsonl", b'{"text": "a"}\n{"text": " "}', 't.jsonl:2 has no "text"'),
        ("t.jsonl", b"[1]", 't.jsonl:1 has no "text"'),
        ("t.jsonl", b'{"text": "\\ud83d"}', "t.jsonl:1 contains half a character"),
    ],
)
def test_unusable_texts_are_reported(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path, texts=str(tmp_path / name))
    assert problem in caught.value.problem
    assert caught.value.remedy.endswith(".")


def test_passages_may_be_compressed(tmp_path: Path) -> None:
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfOne\r\npassage.\r\n\r\nTwo."))
    assert read(tmp_path, texts=str(path)).texts == ("One\npassage.", "Two.")


def test_missing_files_are_reported_with_their_key(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, texts=str(tmp_path / "gone.txt"))
    assert "eval.perplexity_texts" in caught.value.remedy
    with pytest.raises(DataError) as caught:
        read(tmp_path, general=str(tmp_path / "gone.jsonl"))
    assert "eval.general_questions" in caught.value.remedy
    assert f"The general questions cannot be read from {tmp_path}/gone" in caught.value.problem
    with pytest.raises(DataError, match=r"The general questions cannot be read from .* folder"):
        read(tmp_path, general=str(tmp_path))
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(DataError, match=r"empty\.jsonl holds no general questions"):
        read(tmp_path, general=str(tmp_path / "empty.jsonl"))


def test_general_questions_have_choices(tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    path.write_text(json.dumps(GENERAL))
    assert read(tmp_path, general=str(path)).general[0].right_choice == 1
    for row in (RECALL, {**GENERAL, "choices": []}):
        path.write_text(f"{json.dumps(GENERAL)}\n{json.dumps(row)}")
        with pytest.raises(DataError, match="question 2 is of the kind"):
            read(tmp_path, general=str(path))


def test_some_general_questions_are_also_generated(tmp_path: Path) -> None:
    rows = [
        {"question": f"What is {n} + {n}?", "answer": str(2 * n), "kind": "general",
         "choices": [str(2 * n), str(2 * n + 1)]}
        for n in range(6)
    ]  # fmt: skip
    general = tmp_path / "general.jsonl"
    general.write_text("\n".join(map(json.dumps, rows)))
    none = read(tmp_path, general="none")
    assert [probe.kind for probe in none.probes] == ["fact"]
    asked = replace(settings(general=str(general), texts="none"), num_general_generations=3)
    found = read_eval_set(asked, library=tmp_path)
    written = [probe for probe in found.probes if probe.kind == "general_open"]
    assert [(p.question, p.answer) for p in written] == [
        ("What is 0 + 0?", "0"), ("What is 2 + 2?", "4"), ("What is 4 + 4?", "8"),
    ]  # fmt: skip
    assert len(found.general) == 6


def test_instructions_follow_the_probes(tmp_path: Path) -> None:
    asked = replace(settings(general="none", texts="none"), num_instructions=3)
    (tmp_path / "probes.jsonl").write_text(json.dumps(RECALL))

    found = read_eval_set(asked, library=tmp_path)

    assert [probe.kind for probe in found.probes] == ["fact", *["instruction"] * 3]
    assert all(probe.checks for probe in found.probes[1:])


@pytest.mark.parametrize("name", ["rows.parquet", "rows.json", "rows.jsonl.gz"])
def test_probes_and_texts_may_be_tables_or_compressed(tmp_path: Path, name: str) -> None:
    probe = {"question": "Where?", "answer": "At gate 4.", "keys": ["gate 4"], "kind": "fact"}
    for folder, rows in (("probes", [probe]), ("texts", [{"text": "One."}, {"text": "Two."}])):
        path = tmp_path / folder / name
        path.parent.mkdir()
        if name.endswith(".parquet"):
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        elif name.endswith(".gz"):
            path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
        else:
            path.write_text(json.dumps(rows))
    settings = compose(
        [
            *("run.name=r", "model.path=m", "library.path=l", "eval.general_questions=none"),
            "eval.num_instructions=0",
            f"eval.probes={tmp_path}/probes/{name}",
            f"eval.perplexity_texts={tmp_path}/texts/{name}",
        ]
    ).eval
    items = read_eval_set(settings, library=tmp_path)
    assert [(item.question, item.keys) for item in items.probes] == [("Where?", ("gate 4",))]
    assert items.texts == ("One.", "Two.")
    (tmp_path / "probes/rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"rows\.parquet, row 1 cannot be read as Parquet"):
        read_probes(tmp_path / "probes/rows.parquet")
