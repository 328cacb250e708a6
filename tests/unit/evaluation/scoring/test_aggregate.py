"""What is counted over two models' verdicts."""

from pathlib import Path

from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.probes import Kind, Probe
from ftdist.evaluation.scoring.aggregate import JudgedAnswers, aggregate_scores
from ftdist.evaluation.scoring.judge import AnswerVerdict


def probe(answer: str, *, kind: Kind = "fact", document: str = "", section: str = "") -> Probe:
    return Probe(
        question="?", answer=answer, keys=(answer,), kind=kind, document=document, section=section
    )


def judged(rights: list[bool], *, general: list[bool], loss: float) -> JudgedAnswers:
    verdicts = [AnswerVerdict(right=right) for right in rights]
    return JudgedAnswers(probes=verdicts, general=general, losses=[(loss, 10), (2 * loss, 10)])


LEFT, RIGHT = "Clean the left sensor.", "Clean the right sensor."
PROBES = (
    probe(LEFT, document="guide.pdf", section="Errors"),
    probe(RIGHT, document="guide.pdf", section="Errors"),
    probe("Hang it on the hook.", document="guide.pdf", section="Care"),
    probe("Since 1999."),
    probe("Paris", kind="general"),
    probe("No.", kind="out_of_scope"),
)
INPUTS = EvalSet(
    probes=PROBES,
    general=(probe("Oslo", kind="general"),) * 3,
    texts=("a", "b"),
    source=Path("probes.jsonl"),
)
BASE = judged([False, True, False, False, True, True], general=[True, False, False], loss=10.0)
TUNED = judged([True, False, True, True, True, False], general=[True, True, False], loss=20.0)


def test_fact_recall_counts_keys_and_leaves_out_reverse_questions() -> None:
    def fact(form: str = "") -> Probe:
        return Probe(question="?", answer="A1 B2", keys=("A1", "B2"), kind="fact", form=form)

    def verdicts(*missing: tuple[str, ...]) -> JudgedAnswers:
        found = [AnswerVerdict(right=not each, missing=each, num_words=4) for each in missing]
        return JudgedAnswers(probes=found, general=[], losses=[])

    scores = aggregate_scores(
        EvalSet(
            probes=(fact(), fact(), fact("reverse")), general=(), texts=(), source=Path("probes")
        ),
        base=verdicts(("A1", "B2"), ("B2",), ()),
        tuned=verdicts((), ("B2",), ("A1", "B2")),
    )
    assert scores["base"] == {"fact_accuracy": 0, "reverse_accuracy": 1, "fact_recall": 0.25}
    assert scores["tuned"] == {"fact_accuracy": 0.5, "reverse_accuracy": 0, "fact_recall": 0.75}
    assert scores["intervals"]["tuned"]["fact_recall"]["n"] == 4
    assert scores["paired"]["fact_recall"]["difference"] == 0.5
    assert scores["answer_words"] == {"known": 2, "base": 4, "tuned": 4}


def test_rates_differences_and_gains_follow_from_the_verdicts() -> None:
    scores = aggregate_scores(INPUTS, base=BASE, tuned=TUNED)
    assert scores["base"] == {
        "fact_accuracy": 0.25,
        "general_accuracy": 1.0,
        "leak_rate": 0.0,
        "general_mc_accuracy": 1 / 3,
    }
    assert scores["tuned"] == {
        "fact_accuracy": 0.75, "general_accuracy": 1.0, "leak_rate": 1.0,
        "general_mc_accuracy": 2 / 3,
        "new_leak_rate": 1.0, "over_refusal_rate": 0.0, "out_of_scope_failure_rate": 1.0,
        "general_leak_rate": 0.0,
        "spurious_citation_rate": 0.0,
    }  # fmt: skip
    assert {name: pair["difference"] for name, pair in scores["paired"].items()} == {
        "fact_accuracy": 0.5, "general_accuracy": 0.0, "leak_rate": 1.0,
        "general_mc_accuracy": 1 / 3,
    }  # fmt: skip
    assert scores["intervals"].keys() == {"base", "tuned"}
    assert scores["intervals"]["tuned"]["fact_accuracy"].keys() == {
        "hits",
        "n",
        "low_95",
        "high_95",
    }
    assert scores["flips"] == {
        "fact_improved": 3, "fact_regressed": 1, "general_improved": 0, "general_regressed": 0,
    }  # fmt: skip
    assert scores["general_nll"]["difference"] == 1.5


def test_confusable_probes_are_counted_apart() -> None:
    near = aggregate_scores(INPUTS, base=BASE, tuned=TUNED)["confusable_accuracy"]
    assert near["groups"] == 1
    assert (near["base"]["hits"], near["base"]["n"]) == (1, 2)
    assert (near["tuned"]["hits"], near["tuned"]["n"]) == (1, 2)
    assert near["paired"]["difference"] == 0.0


def test_documents_named_by_probes_are_sorted_weakest_first() -> None:
    rows = aggregate_scores(INPUTS, base=BASE, tuned=TUNED)["documents"]
    output = [(r["document"], r["section"], r["n"], r["tuned"]["hits"]) for r in rows]
    assert output == [("guide.pdf", "Errors", 2, 1), ("guide.pdf", "Care", 1, 1)]


def test_scores_without_probes_are_omitted() -> None:
    alone = EvalSet(probes=PROBES[3:4], general=(), texts=(), source=Path("p"))
    nothing = JudgedAnswers(probes=[AnswerVerdict(right=True)], general=[], losses=[])
    scores = aggregate_scores(alone, base=nothing, tuned=nothing)
    assert scores.keys() == {"base", "tuned", "intervals", "paired", "flips"}
    assert scores["tuned"] == {"fact_accuracy": 1.0}
