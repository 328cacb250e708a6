"""Which questions are asked with passages, and what becomes of the answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.evaluation.eval_requests import Answers, PassageAnswer
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.passage_columns import add_passage_columns
from ftdist.evaluation.passage_questions import PassageQuestions, find_passages
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.aggregate import JudgedAnswers
from ftdist.evaluation.scoring.judge import LibraryMarks, judge

EVIDENCE = "Lamp | 9 euros"
RIGHT = "The Tarn pump weighs 4 kg."
PROBES = (
    Probe(question="How heavy is the pump?", answer=RIGHT, keys=("4 kg",), kind="fact"),
    Probe(question="What is 2 + 2?", answer="4", keys=("4",), kind="general"),
    Probe(question="What costs 9 euros?", answer="The lamp", keys=("lamp",), kind="fact",
          form="reverse", evidence=EVIDENCE),
    Probe(question="Is the pump loud?", answer="", keys=(), kind="unanswerable"),
    Probe(question="How old is Tarn?", answer="90 years", keys=("90 years",), kind="fact"),
)  # fmt: skip


def library(folder: Path) -> RunConfig:
    """A run's config whose library are two rows."""
    rows = [("How heavy is the pump?", RIGHT), ("What is the lamp?", "The lamp costs 9 euros.")]
    folder.mkdir()
    lines = [json.dumps({"question": q, "answer": a}) for q, a in rows]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n")
    return compose(["run.name=r", "model.path=m", f"library.path={folder}"])


def found(tmp_path: Path, *, limit: int = 200) -> PassageQuestions:
    config = library(tmp_path / "lib")
    settings = replace(config.eval, max_passage_questions=limit, retrieved_passages=1)
    passages = find_passages(PROBES, config, settings, log=lambda _: None)
    assert passages is not None
    return passages


def test_the_right_passage_is_by_evidence_or_by_keys_or_there_is_none(tmp_path: Path) -> None:
    passages = found(tmp_path)
    assert passages.right == {0: f"How heavy is the pump?\n{RIGHT}", 2: "Lamp | 9 euros"}
    assert (passages.indices, passages.num_without) == ((0, 2), 2)
    assert passages.retrieved[2] == ("What is the lamp?\nThe lamp costs 9 euros.",)
    assert passages.retrieved.keys() == {0, 2}
    rate = passages.hit_rate(PROBES)
    assert rate is not None
    assert (rate.hits, rate.num_questions) == (2, 2)


def test_no_passage_is_right_that_may_not_hold_the_answer(tmp_path: Path) -> None:
    config = library(tmp_path / "lib")

    def right(question: str, key: str, *, evidence: str = "") -> list[str]:
        probe = Probe(question=question, answer=key, keys=(key,), kind="fact", evidence=evidence)
        asked = find_passages([probe], config, config.eval, log=lambda _: None)
        return [] if asked is None else list(asked.right.values())

    lamp = "What is the lamp?\nThe lamp costs 9 euros."
    assert right("What does the lamp cost?", "9 EUR") == [lamp]  # as the judge finds keys
    assert right("What does the lamp cost?", "9") == []  # on any page
    assert right("How heavy is the pump?", "9 euros") == []  # on a page about something else
    assert right("How old is it?", "90 years", evidence="It is old.") == []  # without the key
    assert right("How old?", "90 years", evidence="Age: 90 years") == ["Age: 90 years"]


def test_of_more_questions_an_even_sample_is_asked(tmp_path: Path) -> None:
    passages = found(tmp_path, limit=2)
    assert (passages.indices, passages.num_without, passages.num_candidates) == ((0,), 1, 4)


def test_without_questions_no_passages_are_sought(tmp_path: Path) -> None:
    config = library(tmp_path / "lib")
    settings = replace(config.eval, max_passage_questions=0)
    assert find_passages(PROBES, config, settings, log=lambda _: None) is None


@pytest.mark.parametrize("is_cut", [False, True])
def test_every_column_is_judged_on_the_same_questions(tmp_path: Path, *, is_cut: bool) -> None:
    passages, eval_set = (
        found(tmp_path),
        EvalSet(probes=PROBES, general=(), texts=(), source=Path()),
    )
    texts = {"base": "No idea.", "tuned": RIGHT}
    answers = {
        model: Answers(
            texts=[text] * 5, truncated=[False] * 5, likelihoods=[[]] * 5, general=[], losses=[],
            tasks={}, took_s=2.0, passages_s=1.0,
            with_passages=[
                PassageAnswer(
                    "It weighs 4 kg. See the lamp.",
                    truncated=False,
                    shortened=is_cut and prompt.passages[0] == EVIDENCE,
                )
                for prompt in passages.prompts(PROBES, model=model)
            ],
        )
        for model, text in texts.items()
    }  # fmt: skip
    rows: list[dict[str, Any]] = [{"question": probe.question} for probe in PROBES]
    marks = LibraryMarks.from_probes(PROBES)
    judged = {
        model: JudgedAnswers(
            probes=[judge(probe, text, marks=marks) for probe in PROBES], general=(), losses=()
        )
        for model, text in texts.items()
    }
    scores = add_passage_columns(rows, eval_set, passages, answers=answers, judged=judged)
    columns, paired = scores["passages"]["columns"], scores["passages"]["paired"]

    assert scores["base_passage"]["fact_accuracy"] == 1.0
    assert {column["fact_accuracy"]["n"] for column in columns.values()} == {1}
    assert len(columns) == 5
    assert columns["tuned"]["fact_accuracy"]["value"] == 1.0
    assert columns["base"]["fact_accuracy"]["value"] == 0.0
    assert columns["base_passage"]["fact_recall"]["value"] == 1.0
    assert paired["tuned - base_passage"]["fact_accuracy"]["n"] == 1
    assert "base_passage" not in rows[1]
    assert not rows[4].keys() & {"passages", "base_passage", "base_retrieved"}
    assert scores["passages"]["asked"] == (1 if is_cut else 2)
    if is_cut:  # its answer may be in what was cut off
        assert not rows[2].keys() & {"passages", "base_passage", "base_retrieved"}
        assert not any("reverse_accuracy" in column for column in columns.values())
    else:
        assert scores["base_passage"]["reverse_accuracy"] == 1.0
        assert paired["tuned - base_passage"]["reverse_accuracy"]["difference"] == -1.0
