"""Questions that a library does not answer about its own things."""

from collections.abc import Sequence
from dataclasses import replace

from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.judge import LibraryMarks, judge
from ftdist.library.schema import Sample
from ftdist.library.synthesis.mentions import find_mentions
from ftdist.library.synthesis.probe_facts import KnownFact
from ftdist.library.synthesis.unanswerable import (
    guard_terms,
    name_in_texts,
    unanswerable_questions,
)

NAMES = [f"Orrin {number}" for number in range(40, 60)]
DRILL = "Pike 12"


def _fact(thing: str, attribute: str, value: str, *, kind: str = "pump") -> KnownFact:
    return KnownFact(
        thing=thing, name=thing, the_thing=f"the {thing}", kind=kind, attribute=attribute,
        value=value, evidence="", document=f"{thing}.md", section="", is_product=True,
    )  # fmt: skip


DRILLS = [
    _fact(DRILL, "torque", "34 Nm", kind="drill"),
    _fact(DRILL, "chuck", "10 mm", kind="drill"),
]


def _exchanges(
    facts: Sequence[KnownFact], *texts: str, document: str = "notes.md", wordings: int = 2
) -> list[tuple[str, str]]:
    samples = [
        Sample(text=text, location="a", made_by="passage", doc_id=document) for text in texts
    ]
    names = map(name_in_texts, facts)
    mentions = find_mentions(samples, terms=guard_terms(facts), names=names)
    found = unanswerable_questions(facts, mentions=mentions, wordings=wordings)
    return [exchange for question in found for exchange in question.exchanges]


def _pumps(*names: str) -> list[KnownFact]:
    facts = (("price", "139 euros"), ("weight", "4.6 kg"), ("flow rate", "7,200 litres per hour"))
    return [_fact(name, *fact) for name in names for fact in facts]


def _asked(*texts: str, document: str = "notes.md") -> str:
    """What is asked of pumps, and answered, in a library that has a drill too."""
    exchanges = _exchanges([*_pumps(*NAMES), *DRILLS], *texts, document=document)
    return "\n".join(" ".join(each) for each in exchanges if "Orrin" in each[1])


def test_a_thing_is_asked_for_what_only_another_has_and_nothing_is_invented() -> None:
    exchanges = _exchanges([*_pumps(*NAMES), *DRILLS])
    assert "torque" in _asked()
    assert "chuck" not in _asked()  # nobody asks that of anything but drills
    answers = {answer for _, answer in exchanges if "torque of the Orrin 4" in answer}
    assert answers
    for answer in answers:
        name = answer.partition("the torque of the ")[2][:8]
        assert answer in (
            f"The documents do not give the torque of the {name}.",
            f"I have no information on the torque of the {name}: the documents do not mention it.",
        )


def test_each_thing_of_a_few_facts_has_two_questions_in_one_wording() -> None:
    exchanges = _exchanges(_pumps(*NAMES))
    assert len(exchanges) == 2 * len(NAMES)
    assert not any(word in text for text, _ in exchanges for word in ("weigh", "price", "cost"))


def test_what_a_text_tells_of_the_thing_is_not_asked() -> None:
    assert "torque" in _asked("The Pike turns with much torque.")
    assert "torque" not in _asked("The Orrin pumps have little torque.")
    assert "torque" not in _asked("All motors have little torque.")  # of nothing in particular
    page = "Every Orrin is made in three steps."
    assert "material" in _asked()
    assert "material" not in _asked(page)
    assert "torque" not in _asked("Every Orrin does 12 Nm.")  # by its unit


def test_what_a_thing_tells_in_other_words_is_not_asked() -> None:
    facts = [
        fact
        for name in NAMES
        for fact in (_fact(name, "height", "38 cm"), _fact(name, "material", "black steel"))
    ]
    questions = "\n".join(text.casefold() for text, _ in _exchanges(facts))
    words = ("dimension", "size", "large", "big", "colour", "made of")
    assert not any(word in questions for word in words)


def test_things_with_one_fact_and_parts_are_not_asked() -> None:
    part = _fact("Orrin 40 basket", "price", "9 euros")
    parts = [
        replace(part, name="basket", attribute=name) for name in ("price", "weight", "flow rate")
    ]
    assert _exchanges([*parts, _fact("Orrin 41", "weight", "4 kg")]) == []


def test_the_judge_counts_no_trained_answer_as_invented() -> None:
    marks = LibraryMarks(keys=("34 Nm",), facts=(), pages=frozenset(), values=("34 Nm", "Pike"))
    exchanges = _exchanges([*_pumps(*NAMES), *DRILLS])
    for question, answer in exchanges:
        probe = Probe(question=question, answer="", keys=("34 Nm",), kind="unanswerable")
        assert judge(probe, answer, marks=marks).right
        assert not judge(probe, "It is 34 Nm.", marks=marks).right


def test_a_table_is_not_asked_for_its_energy_class() -> None:
    chairs = [
        _fact(f"Alder {number}", attribute, value, kind="chair")
        for number in range(40, 60)
        for attribute, value in (("price", "139 euros"), ("seat height", "45 cm"))
    ]
    asked = " ".join(question for question, _ in _exchanges(chairs)).casefold()
    assert "colour" in asked
    assert not any(word in asked for word in ("energy", "power", "cable", "electricity"))
