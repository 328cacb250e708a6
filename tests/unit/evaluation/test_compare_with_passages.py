"""A comparison asks the library's questions with its passages too."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose
from ftdist.config.saved_config import save_config
from ftdist.evaluation.compare import compare
from ftdist.rundir import RunDir
from ftdist.testing import tiny
from tests.support.models.tiny_models import spread_weights

PASSAGE_COLUMNS = {"base_passage", "base_retrieved", "tuned_passage"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """An exported run with two fact probes and one out-of-scope probe, compared once."""
    root = tmp_path_factory.mktemp("passages")
    made = tiny.make(root / "made")
    lines = (made / "library/probes.jsonl").read_text().splitlines()
    of_kind = {
        kind: [line for line in lines if f'"kind": "{kind}"' in line]
        for kind in ("fact", "out_of_scope")
    }
    probes = [*of_kind["fact"][:2], of_kind["out_of_scope"][0]]
    (root / "probes.jsonl").write_text("\n".join(probes) + "\n")
    run = RunDir(root / "runs" / "r")
    overrides = {
        "run.name": "r", "run.root": root / "runs", "model.path": made / "model",
        "library.path": made / "library", "library.cache_dir": root / "cache",
        "eval.probes": root / "probes.jsonl", "eval.max_new_tokens": 4, "eval.num_threads": 1,
        "eval.general_questions": "none", "eval.perplexity_texts": "none",
        "eval.num_general_generations": 0, "eval.num_instructions": 0, "tracking": "off",
    }  # fmt: skip
    run.create(private=True)
    save_config(compose([f"{key}={value}" for key, value in overrides.items()]), run.config)
    shutil.copytree(made / "model", run.export)
    spread_weights(run.export)
    compare(run.root)
    return run


def report(run: RunDir) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rows = (run.report / "answers.jsonl").read_text().splitlines()
    return json.loads((run.report / "scores.json").read_text()), [json.loads(row) for row in rows]


def test_only_questions_about_the_library_are_asked_with_passages(run: RunDir) -> None:
    scores, rows = report(run)
    assert [row.keys() >= PASSAGE_COLUMNS for row in rows] == [True, True, False]
    assert not rows[2].keys() & PASSAGE_COLUMNS
    assert scores["passages"]["asked"] == scores["passages"]["candidates"] == 2
    assert scores["passages"]["without_right_passage"] == 0
    assert scores["passages"]["retrieval_hit_rate"]["hits"] == 2
    for row in rows[:2]:
        assert all(key in row["passages"]["right"] for key in row["keys"])
        assert row["passages"]["right"] in row["passages"]["retrieved"]


def test_every_column_has_its_scores_and_differences(run: RunDir) -> None:
    scores, _ = report(run)
    columns = scores["passages"]["columns"]
    assert columns.keys() == PASSAGE_COLUMNS | {"base", "tuned"}
    for name in PASSAGE_COLUMNS:
        assert scores[name].keys() >= {"fact_accuracy", "fact_recall"}
        assert columns[name]["fact_accuracy"]["n"] == 2
    paired = scores["passages"]["paired"]["tuned - base_retrieved"]
    assert paired["fact_accuracy"]["n"] == 2


def test_the_base_is_not_asked_again(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    before = report(run)
    compare(run.root)
    output = capsys.readouterr().out
    assert "base: answers read from the cache" in output
    assert "compare: base: loading" not in output
    rows_before, rows = before[1], report(run)[1]
    assert rows == rows_before


def test_with_no_passage_questions_nothing_is_retrieved_and_the_cache_still_holds(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(run.request("compare")).write_text(json.dumps({"eval.max_passage_questions": 0}))
    compare(run.root)
    scores, rows = report(run)
    assert "compare: base: loading" not in capsys.readouterr().out
    assert not scores.keys() & {*PASSAGE_COLUMNS, "passages"}
    assert not any(row.keys() & PASSAGE_COLUMNS for row in rows)
