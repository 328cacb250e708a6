"""What W&B is to show of a comparison: flat values, a table, and a digest of both."""

import json
from typing import Any

import pytest

from ftdist.config.schema import RunConfig
from ftdist.observe.wandb.comparison_table import (
    COLUMNS,
    LOG_GENERATIONS_KEY,
    MAX_ANSWERS,
    Comparison,
    answer_rows,
    read_comparison,
    score_values,
)
from ftdist.rundir import RunDir
from tests.support.runs.fake_comparisons import SECRET, answer, scores, write_report
from tests.support.wandb.fake_run import make_config, make_run


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return make_run(tmp_path_factory.mktemp("runs") / "r", wandb="auto")


def config_of(run: RunDir, *words: str) -> RunConfig:
    return make_config(run.root.parent, wandb="auto", more=words)


def read(run: RunDir, *words: str, **environment: str) -> Comparison:
    found = read_comparison(run, config_of(run, *words), environment=environment)
    assert found is not None
    return found


# --- values ---


def test_scores_are_flattened_and_missing_ones_omitted() -> None:
    rate = {"hits": 1, "n": 8, "low_95": 0.0, "high_95": 0.4}
    output = {
        "base": {"fact_accuracy": 0.25, "leak_rate": 0.0},
        "tuned": {"fact_accuracy": 0.75, "leak_rate": 0.5, "over_refusal_rate": 0.125},
        "intervals": {
            "base": {"fact_accuracy": {**rate, "n": 4}, "leak_rate": {**rate, "n": 2}},
            "tuned": {
                "fact_accuracy": {**rate, "n": 4},
                "leak_rate": {**rate, "n": 2},
                "over_refusal_rate": rate,
            },
        },
        "paired": {
            "fact_accuracy": {
                "n": 4, "difference": 0.5, "low_95": -0.1, "high_95": 0.8, "clear": False,
            }
        },
        "flips": {"fact_improved": 3, "fact_regressed": 1},
        "general_nll": {
            "base": 2.5, "tuned": 2.75, "passages": 20, "difference": 0.25, "low_95": 0.1,
            "high_95": 0.4, "clear": True, "intervals": {"base": [2, 3], "tuned": [2, 3]},
        },
        "confusable_accuracy": {
            "groups": 1,
            "base": {**rate, "value": 0.5, "n": 2},
            "tuned": {**rate, "value": 1.0, "n": 2},
            "paired": {"difference": 0.5, "low_95": -0.3, "high_95": 0.9, "clear": False},
        },
        "documents": [{"document": "secret.pdf", "section": "s", "n": 4}],
        "cost": {"steps": 12, "rank_hours": 0.5, "ranks": [2], "device": "cpu"},
        "probes": "/private/probes.jsonl",
        "took_s": {"base": 1.0, "tuned": 2.0},
    }  # fmt: skip
    assert score_values(output) == {
        "compare/fact_accuracy/base": 0.25,
        "compare/fact_accuracy/tuned": 0.75,
        "compare/fact_accuracy/n": 4,
        "compare/fact_accuracy/tuned_low_95": 0.0,
        "compare/fact_accuracy/tuned_high_95": 0.4,
        "compare/fact_accuracy/difference": 0.5,
        "compare/fact_accuracy/difference_low_95": -0.1,
        "compare/fact_accuracy/difference_high_95": 0.8,
        "compare/leak_rate/base": 0.0,
        "compare/leak_rate/tuned": 0.5,
        "compare/leak_rate/n": 2,
        "compare/leak_rate/tuned_low_95": 0.0,
        "compare/leak_rate/tuned_high_95": 0.4,
        "compare/over_refusal_rate/tuned": 0.125,
        "compare/over_refusal_rate/n": 8,
        "compare/over_refusal_rate/tuned_low_95": 0.0,
        "compare/over_refusal_rate/tuned_high_95": 0.4,
        "compare/confusable_accuracy/base": 0.5,
        "compare/confusable_accuracy/tuned": 1.0,
        "compare/confusable_accuracy/n": 2,
        "compare/confusable_accuracy/tuned_low_95": 0.0,
        "compare/confusable_accuracy/tuned_high_95": 0.4,
        "compare/confusable_accuracy/difference": 0.5,
        "compare/confusable_accuracy/difference_low_95": -0.3,
        "compare/confusable_accuracy/difference_high_95": 0.9,
        "compare/general_nll/base": 2.5,
        "compare/general_nll/tuned": 2.75,
        "compare/general_nll/n": 20,
        "compare/general_nll/tuned_low_95": 2,
        "compare/general_nll/tuned_high_95": 3,
        "compare/general_nll/difference": 0.25,
        "compare/general_nll/difference_low_95": 0.1,
        "compare/general_nll/difference_high_95": 0.4,
        "compare/flips/fact_improved": 3,
        "compare/flips/fact_regressed": 1,
        "compare/cost/steps": 12,
        "compare/cost/rank_hours": 0.5,
    }


# --- the table ---


def test_a_row_has_the_question_both_answers_and_their_verdicts() -> None:
    rows: list[dict[str, Any]] = [
        answer("Q1"),
        answer(
            "Q2",
            kind="general",
            base={"answer": "b", "right": True, "chosen": "Oslo", "leaked": []},
            tuned={"answer": "t", "right": False, "chosen": "Rome", "leaked": []},
        ),
        answer(
            "Q3",
            kind="out_of_scope",
            base={"answer": "b", "right": True, "chosen": None, "leaked": []},
            tuned={
                "answer": "t",
                "right": False,
                "chosen": None,
                "leaked": ["12 seconds", "A-45"],
            },
        ),
    ]
    rows[0]["base_retrieved"] = {"answer": "With vinegar.", "right": True}
    output = [dict(zip(COLUMNS, row, strict=True)) for row in answer_rows(rows)]
    assert output[0] == {
        "question": "Q1", "kind": "fact", "expected": "With vinegar.",
        "base": f"I do not know. {SECRET}", "base_verdict": "wrong", "base_chosen": None,
        "base_leaked": None,
        "tuned": "With a canary.", "tuned_verdict": "right", "tuned_chosen": None,
        "tuned_leaked": None,
        "base_passage": None, "base_passage_verdict": None,
        "base_retrieved": "With vinegar.", "base_retrieved_verdict": "right",
        "tuned_passage": None, "tuned_passage_verdict": None,
    }  # fmt: skip
    assert (output[1]["base_verdict"], output[1]["base_chosen"]) == ("right", "Oslo")
    assert (output[1]["tuned_verdict"], output[1]["tuned_chosen"]) == ("wrong", "Rome")
    assert (output[2]["base_verdict"], output[2]["tuned_verdict"]) == ("no leak", "leak")
    assert (output[2]["base_leaked"], output[2]["tuned_leaked"]) == (None, "12 seconds; A-45")


def test_a_long_answer_table_is_sampled_evenly_with_a_note(run: RunDir) -> None:
    write_report(run, recall=0.75, answers=2 * MAX_ANSWERS)
    found = read(run)
    assert found.answers is not None
    asked = [row[0] for row in found.answers]
    assert asked == [f"How is it cleaned? ({2 * n})" for n in range(MAX_ANSWERS)]
    assert found.description == "the comparison with 500 of its 1000 questions"
    write_report(run, recall=0.75, answers=MAX_ANSWERS)
    assert read(run).description == "the comparison with its 500 questions"


# --- what leaves the place ---


def test_without_answers_the_table_contains_no_library_text(run: RunDir) -> None:
    write_report(run, recall=0.75)
    found = read(run, "tracking.log_generations=false")
    assert found.answers is None
    assert found.values == read(run).values
    assert found.description == "the comparison's scores without its answers"


@pytest.mark.parametrize("wanted", [True, False])
def test_comparison_settings_override_the_config(run: RunDir, *, wanted: bool) -> None:
    write_report(run, recall=0.75)
    run.request("compare").write_text(
        json.dumps({"eval.num_threads": 1, "tracking.log_generations": wanted})
    )
    found = read(run, f"tracking.log_generations={str(not wanted).lower()}")
    assert (found.answers is not None) is wanted
    run.request("compare").write_text(json.dumps({"eval.num_threads": 1}))
    assert read(run, "tracking.log_generations=false").answers is None


def test_answers_of_a_finished_comparison_stay_withheld_while_another_waits(
    run: RunDir,
) -> None:
    write_report(run, recall=0.75, **{LOG_GENERATIONS_KEY: False})
    run.request("compare").write_text(json.dumps({LOG_GENERATIONS_KEY: True}))
    assert read(run).answers is None


def test_secrets_of_the_environment_are_hidden_in_the_answers(run: RunDir) -> None:
    write_report(run, recall=0.75)
    (row,) = read(run, MY_ACCESS_TOKEN=SECRET).answers or ()
    assert row[COLUMNS.index("base")] == "I do not know. (hidden)"


# --- when it is sent again ---


def test_the_digest_depends_only_on_the_table_content(run: RunDir) -> None:
    write_report(run, recall=0.75)
    first = read(run).digest
    write_report(run, recall=0.75, took_s={"base": 9.0, "tuned": 9.0})
    assert read(run).digest == first
    assert read(run, "tracking.log_generations=false").digest != first
    write_report(run, recall=0.5)
    assert read(run).digest != first
    write_report(run, recall=0.75, answers=2)
    assert read(run).digest != first


@pytest.mark.parametrize("text", [None, "", "[]", '{"base": {}}', '{"tuned": 1, "base": 1}'])
def test_an_unreadable_comparison_is_ignored(run: RunDir, text: str | None) -> None:
    if text is not None:
        write_report(run, recall=0.75)
        (run.report / "scores.json").write_text(text)
    assert read_comparison(run, config_of(run), environment={}) is None


def test_reading_scores_leaves_them_as_they_are() -> None:
    output = scores(recall=0.75)
    before = json.dumps(output)
    score_values(output)
    assert json.dumps(output) == before
