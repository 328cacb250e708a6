"""What is counted over two models' verdicts."""

from pathlib import Path

from ftdist.evaluation.eval_set import Inputs
from ftdist.evaluation.probes import Kind, Probe
from ftdist.evaluation.scoring.aggregate import Judged, tally
from ftdist.evaluation.scoring.judge import Verdict


def probe(answer: str, *, kind: Kind = "fact", document: str = "", section: str = "") -> Probe:
    return Probe(
        question="?", answer=answer, keys=(answer,), kind=kind, document=document, section=section
    )


def judged(rights: list[bool], *, general: list[bool], loss: float) -> Judged:
    verdicts = [Verdict(right=right) for right in rights]
    return Judged(probes=verdicts, general=general, losses=[(loss, 10), (2 * loss, 10)])


LEFT, RIGHT = "Clean the left sensor.", "Clean the right sensor."
PROBES = (
    probe(LEFT, document="guide.pdf", section="Errors"),
    probe(RIGHT, document="guide.pdf", section="Errors"),
    probe("Hang it on the hook.", document="guide.pdf", section="Care"),
    probe("Since 1999."),
    probe("Paris", kind="general"),
    probe("No.", kind="out_of_scope"),
)
INPUTS = Inputs(
    probes=PROBES,
    general=(probe("Oslo", kind="general"),) * 3,
    texts=("a", "b"),
    source=Path("probes.jsonl"),
)
BASE = judged([False, True, False, False, True, True], general=[True, False, False], loss=10.0)
TUNED = judged([True, False, True, True, True, False], general=[True, True, False], loss=20.0)


def test_rates_differences_and_gains_are_those_of_the_verdicts() -> None:
    scores = tally(INPUTS, base=BASE, tuned=TUNED)
    assert scores["base"] == {"recall": 0.25, "retention": 1.0, "leak": 0.0, "general": 1 / 3}
    assert scores["tuned"] == {
        "recall": 0.75, "retention": 1.0, "leak": 1.0, "general": 2 / 3,
        "leak_added": 1.0, "deflection": 0.0, "not_clean": 1.0, "pollution": 0.0,
        "format_leak": 0.0,
    }  # fmt: skip
    assert {name: pair["difference"] for name, pair in scores["paired"].items()} == {
        "recall": 0.5, "retention": 0.0, "leak": 1.0, "general": 1 / 3,
    }  # fmt: skip
    assert scores["intervals"].keys() == {"base", "tuned"}
    assert scores["intervals"]["tuned"]["recall"].keys() == {"hits", "asked", "low_95", "high_95"}
    assert scores["gain"] == {
        "recall_gained": 3, "recall_lost": 1, "retention_gained": 0, "retention_lost": 0,
    }  # fmt: skip
    assert scores["general_loss"]["difference"] == 1.5


def test_confusable_probes_are_counted_apart() -> None:
    near = tally(INPUTS, base=BASE, tuned=TUNED)["near_misses"]
    assert near["groups"] == 1
    assert (near["base"]["hits"], near["base"]["asked"]) == (1, 2)
    assert (near["tuned"]["hits"], near["tuned"]["asked"]) == (1, 2)
    assert near["paired"]["difference"] == 0.0


def test_documents_come_weakest_first_and_only_where_probes_name_them() -> None:
    rows = tally(INPUTS, base=BASE, tuned=TUNED)["documents"]
    told = [(r["document"], r["section"], r["asked"], r["tuned"]["hits"]) for r in rows]
    assert told == [("guide.pdf", "Errors", 2, 1), ("guide.pdf", "Care", 1, 1)]


def test_what_was_not_asked_is_not_told() -> None:
    alone = Inputs(probes=PROBES[3:4], general=(), texts=(), source=Path("p"))
    nothing = Judged(probes=[Verdict(right=True)], general=[], losses=[])
    scores = tally(alone, base=nothing, tuned=nothing)
    assert scores.keys() == {"base", "tuned", "intervals", "paired", "gain"}
    assert scores["tuned"] == {"recall": 1.0}
