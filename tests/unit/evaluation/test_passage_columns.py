"""Which questions are asked with passages, and what becomes of the answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.evaluation.eval_requests import Answers, PassageAnswer
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.passage_columns import add_passage_columns
from ftdist.evaluation.passage_questions import PassageQuestions, find_passages
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.aggregate import JudgedAnswers
from ftdist.evaluation.scoring.judge import LibraryMarks, judge

RIGHT = "The Tarn pump weighs 4 kg."
PROBES = (
    Probe(question="How heavy is the pump?", answer=RIGHT, keys=("4 kg",), kind="fact"),
    Probe(question="What is 2 + 2?", answer="4", keys=("4",), kind="general"),
    Probe(question="What costs 9 euros?", answer="The lamp", keys=("lamp",), kind="fact",
          form="reverse", evidence="Lamp | 9 euros"),
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
    assert passages.asked == (0, 2, 3, 4)
    assert passages.right == {0: f"How heavy is the pump?\n{RIGHT}", 2: "Lamp | 9 euros"}
    assert passages.retrieved[2] == ("What is the lamp?\nThe lamp costs 9 euros.",)
    rate = passages.hit_rate(PROBES)
    assert rate is not None
    assert (rate.hits, rate.num_questions) == (2, 3 if 4 in passages.retrieved else 2)


def test_of_more_questions_an_even_sample_is_asked(tmp_path: Path) -> None:
    passages = found(tmp_path, limit=2)
    assert (passages.asked, passages.num_candidates) == ((0, 3), 4)


def test_without_questions_no_passages_are_sought(tmp_path: Path) -> None:
    config = library(tmp_path / "lib")
    settings = replace(config.eval, max_passage_questions=0)
    assert find_passages(PROBES, config, settings, log=lambda _: None) is None


def test_every_column_is_judged_and_paired_on_its_own_questions(tmp_path: Path) -> None:
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
                PassageAnswer("It weighs 4 kg. See the lamp.", False, False)
                for _ in passages.prompts(PROBES, model=model)
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
    assert scores["base_passage"]["reverse_accuracy"] == 1.0
    assert columns["base"]["fact_accuracy"]["n"] == columns["tuned"]["fact_accuracy"]["n"] == 2
    assert columns["tuned"]["fact_accuracy"]["value"] == 0.5
    assert columns["base_passage"]["fact_accuracy"]["n"] == 1
    assert columns["base_passage"]["fact_recall"]["value"] == 1.0
    assert paired["tuned - base_passage"]["fact_accuracy"]["n"] == 1
    assert paired["tuned - base_passage"]["reverse_accuracy"]["difference"] == -1.0
    assert rows[2]["base_passage"]["right"]
    assert "base_passage" not in rows[1]
    assert "base_passage" not in rows[4]
    assert rows[4]["passages"]["right"] is None
