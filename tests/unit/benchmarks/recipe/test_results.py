"""Scores of a run by hand-written questions, and the page of all runs."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.recipe.__main__ import main
from benchmarks.recipe.libraries import LIBRARIES
from benchmarks.recipe.results import (
    WITH_PASSAGES,
    Answers,
    Result,
    answers_of,
    asked_in_every_way,
    trained_questions,
)
from benchmarks.recipe.runs import Machine, Run, follow
from benchmarks.recipe.table import page
from ftdist.errors import ConfigError
from ftdist.text.matching import words

MACHINE = Machine(model=Path("/models/tiny"), dtype="float32", ranks=2, device="cpu")

RESULT = Result(
    library="a45",
    seed=2,
    answers={"base": Answers(facts=0.25, leak=0.5), "tuned": Answers(facts=0.5, leak=0.0)},
    questions=48,
    trained=3,
    general_loss=-0.0004,
    general=(0.002, -0.01, 0.014),
    exposures=54.4,
    passes=6.81,
    steps=1234,
    share_of_others=0.254,
    instructions=(0.3, 0.25),
    minutes={"curate": 3.25, "train": 10.0},
    compared={"base": Answers(facts=0.125), "base_passage": Answers(facts=0.75)},
)


def _verdict(*, right: bool, missing: list[str] | None = None) -> dict[str, object]:
    return {"answer": "A.", "right": right, "missing": missing}


def test_facts_are_counted_over_all_keys_and_only_of_hand_written_questions() -> None:
    asked = {
        "Q1": {"question": "Q1", "kind": "fact", "form": "reworded"},
        "Q2": {"question": "Q2", "kind": "fact", "form": "reworded"},
        "Q3": {"question": "Q3", "kind": "fact", "form": "reverse"},
        "Q4": {"question": "Q4", "kind": "unanswerable"},
    }
    rows = [
        # 1 of 1 and 1 of 3 keys: 2 of 4 facts, one whole answer of two
        {"question": "Q1", "kind": "fact", "keys": ["a"], "tuned": _verdict(right=True)},
        {
            "question": "Q2",
            "kind": "fact",
            "keys": ["a", "b", "c"],
            "tuned": _verdict(right=False, missing=["b", "c"]),
        },
        {"question": "Q3", "kind": "fact", "keys": ["a"], "tuned": _verdict(right=True)},
        {"question": "Q4", "kind": "unanswerable", "keys": [], "tuned": _verdict(right=False)},
        {
            "question": "by the curation",
            "kind": "fact",
            "keys": ["a"],
            "tuned": _verdict(right=False, missing=["a"]),
        },
        {"question": "other", "kind": "out_of_scope", "keys": [], "tuned": _verdict(right=True)},
    ]
    assert answers_of(rows, asked=asked) == {
        "tuned": Answers(
            facts=0.5, whole=0.5, reverse=1.0, two_facts=None, invented=1.0, leak=0.0, page=None
        )
    }


def test_ways_of_asking_are_compared_on_the_questions_of_all_of_them() -> None:
    right = _verdict(right=True)
    every_way = {"question": "Q1", "tuned": right, **dict.fromkeys(WITH_PASSAGES, right)}
    rows = [every_way, {"question": "Q2", "tuned": right}, {**every_way, "question": "Q3"}]
    del rows[2]["base_passage"]
    assert asked_in_every_way(rows) == rows[:1]


def test_questions_of_training_are_found_by_their_words(tmp_path: Path) -> None:
    rows = [
        [{"role": "user", "content": "How loud is it?"}, {"role": "assistant", "content": "48 dB"}],
        None,
    ]
    pq.write_table(pa.table({"messages": rows}), tmp_path / "a-train.parquet")
    pq.write_table(pa.table({"messages": rows[:1]}), tmp_path / "a-held_out.parquet")
    assert trained_questions(tmp_path) == {words("how loud is it")}


def test_page_shows_a_run_in_one_row_with_the_figures_of_the_base_in_brackets() -> None:
    text = page([RESULT], machine=MACHINE)
    row = next(line for line in text.splitlines() if line.startswith("| a45 | 2 | 48 | 3 |"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells == [
        "a45", "2", "48", "3", "0.50", "", "", "", "", "", "0.00 (0.50)", "-0.000",
        "+0.002 (-0.010 to +0.014)", "0.25 (0.30)", "54", "6.8", "1,234", "25 %", "3.2", "10.0", "",
    ]  # fmt: skip
    assert "| a45 | 2 | 0.12 | 0.75 |  |  |  |" in text


def test_results_are_the_same_after_a_round_trip_through_json() -> None:
    assert Result.from_json(json.loads(json.dumps(RESULT.to_json()))) == RESULT


def test_command_differs_between_libraries_in_documents_questions_and_name_alone(
    tmp_path: Path,
) -> None:
    def command(name: str) -> list[str]:
        run = Run(library=LIBRARIES[name], seed=3, root=tmp_path)
        return [word.replace(name, "LIBRARY") for word in run.words(MACHINE)]

    first, *others = (command(name) for name in LIBRARIES)
    assert all(other == first for other in others)
    assert "run.seed=3" in first


def test_run_that_was_started_with_other_keys_is_refused(tmp_path: Path) -> None:
    run = Run(library=LIBRARIES["a45"], seed=1, root=tmp_path)
    run.folder.root.mkdir(parents=True)
    run.folder.overrides.write_text("\n".join(run.words(MACHINE)[1:]) + "\n", encoding="utf-8")
    run.check_words(MACHINE)
    with pytest.raises(ConfigError, match=r"other keys: .*bfloat16, .*float32"):
        run.check_words(replace(MACHINE, dtype="bfloat16"))


def test_silent_command_is_reported_as_running_and_its_exit_code_is_returned(
    tmp_path: Path,
) -> None:
    program = "import time; print('begins', flush=True); time.sleep(1.5); raise SystemExit(7)"
    output = io.StringIO()
    words = [sys.executable, "-c", program]
    code = follow(words, cwd=tmp_path, name="a45-1", outputs=[output], max_silence_s=0.2)
    assert code == 7
    lines = output.getvalue().splitlines()
    assert lines[0] == "begins"
    assert "a45-1: running for 0.0 minutes" in lines[1:]


def test_dry_run_prints_command_and_questions_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    words = ["catalogue", "--root", str(tmp_path), "--model", str(model), "optim.peak_lr=1e-4"]
    assert main([*words, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 1: catalogue-1, hand-written questions: " in printed
    assert f"ftdist expert 'sources=[catalogue={tmp_path}/documents/catalogue]'" in printed
    assert " optim.peak_lr=1e-4" in printed
    assert not (tmp_path / "runs").exists()
