"""Probes about facts of things: in reverse, two at once, and what the library does not say."""

from dataclasses import replace
from pathlib import Path

from ftdist.evaluation.probes import read_probes
from ftdist.library.readers import read_document
from ftdist.library.schema import Document, ProbeRow
from ftdist.library.synthesis.probe_facts import (
    KnownFact,
    Owners,
    known_facts,
    reverse_probes,
    two_fact_probes,
)
from ftdist.library.synthesis.probe_unanswerable import PLAUSIBLE, unanswerable_probes


def fact(thing: str, attribute: str, value: str, *, kind: str = "pump") -> KnownFact:
    return KnownFact(
        thing=thing, name=thing, the_thing=f"the {thing}", kind=kind,
        attribute=attribute, value=value,
        evidence=f"{thing} | {attribute} | {value}", document="catalogue.md", section="Pumps",
        is_product=attribute in ("weight", "flow"),
    )  # fmt: skip


FACTS = [
    fact("FP-300", "weight", "4.2 kg"),
    fact("FP-300", "price", "129 euros"),
    fact("K-88", "weight", "4,2 kilograms"),
    fact("K-88", "price", "149 euros"),
    fact("K-88", "flow", "60 litres per minute"),
    fact("T-7", "flow", "80 litres per minute"),
    fact("T-7", "display", "yes"),
]


def test_reverse_questions_ask_only_for_values_that_one_thing_has() -> None:
    probes = {probe.question: probe for probe in reverse_probes(FACTS)}
    assert len(probes) == 4  # the weights are equal, and "yes" tells nothing apart
    probe = probes["The price is 129 euros. Which pump is it?"]
    assert (probe.answer, probe.keys, probe.form) == ("The FP-300.", ("FP-300",), "reverse")
    assert (probe.kind, probe.evidence) == ("fact", "FP-300 | price | 129 euros")


def test_questions_for_two_facts_need_a_key_of_each() -> None:
    probes = {probe.question: probe for probe in two_fact_probes(FACTS)}
    probe = probes["What are the weight and the price of the K-88?"]
    assert probe.answer == "Weight: 4,2 kilograms\nPrice: 149 euros"
    assert (probe.keys, probe.form) == (("4,2 kilograms", "149 euros"), "two_facts")
    assert probe.evidence == "K-88 | weight | 4,2 kilograms\nK-88 | price | 149 euros"
    assert "What are the weight and the price of the FP-300?" not in probes  # trained


def test_unanswerable_questions_ask_what_no_text_says_of_the_thing() -> None:
    def mentions(attribute: str, thing: str) -> bool:
        return (attribute, thing) in {
            ("weight", "T-7"),
            *((name, "") for name in list(PLAUSIBLE)[1:]),
        }

    probes = list(unanswerable_probes(FACTS, mentions=mentions))
    asked = {probe.question: probe for probe in probes}
    # Told for another thing; in no text; mentioned with the thing outside its facts.
    assert "What is the flow of the FP-300?" in asked
    assert "What is the noise level of the K-88?" in asked
    assert "What is the weight of the T-7?" not in asked
    flow = asked["What is the flow of the FP-300?"]
    assert flow.kind == "unanswerable"
    assert flow.keys == ("60 litres per minute", "80 litres per minute")
    assert flow.evidence == "FP-300 | weight | 4.2 kg\nFP-300 | price | 129 euros"


def test_a_part_is_asked_for_by_a_name_that_its_answer_holds(tmp_path: Path) -> None:
    table = "| Part | Order number | Price |\n|---|---|---|\n| Filter basket | FB-2017 | 12 EUR |"
    text = f"# Marlow 20 manual\n\nThe Marlow 20 is a dehumidifier.\n\n## Spare parts\n\n{table}\n"
    (tmp_path / "a.md").write_text(text + "| Drive motor | DM-3310 | 49 EUR |\n")
    document = read_document(tmp_path / "a.md", name="a.md", kind="markdown")
    assert isinstance(document, Document)
    rows = list(reverse_probes(known_facts(document)))
    (tmp_path / "probes.jsonl").write_text("".join(row.to_json() for row in rows))
    asked = {probe.question: probe for probe in read_probes(tmp_path / "probes.jsonl")}
    basket = asked["The order number is FB-2017. Which one is it?"]
    assert (basket.answer, basket.keys) == (
        "The filter basket of the Marlow 20.",
        ("filter basket",),
    )
    assert len(asked) == 4


def test_a_value_or_name_of_several_things_is_not_asked_in_reverse() -> None:
    later = [fact("T-7", "price", "129 euros"), fact("T-8", "weight", "9 kg")]
    baskets = [
        replace(fact(f"{whole} basket", "price", price), name="basket")
        for whole, price in (("A-1", "3 euros"), ("B-2", "5 euros"))
    ]
    facts = [fact("FP-300", "price", "129 euros"), *baskets]
    assert list(reverse_probes(facts, owners=Owners.of([*facts, *later]))) == []
    assert len(list(reverse_probes(facts))) == 1


def test_only_amounts_and_identifiers_are_asked_in_reverse() -> None:
    facts = [fact("Basic", "support", "Email"), fact("Basic", "ports", "4")]
    assert list(reverse_probes(facts)) == []
    sku = replace(fact("Basic", "order number", "BX-17"), is_identifier=True)
    assert [row.keys for row in reverse_probes([sku])] == [("Basic",)]


def test_two_facts_are_not_asked_of_values_that_any_answer_may_hold() -> None:
    def keys(*values: str) -> list[tuple[str, ...]]:
        facts = [fact("T-1", f"a{n}", value) for n, value in enumerate(values)]
        return [row.keys for row in two_fact_probes(facts)]

    assert keys("4 kg", "no") == []
    assert keys("1", "Email") == []
    assert keys("12 V", "12 V DC") == []
    assert keys("Not available", "4 kg") == []
    assert keys("12 V", "4 kg") == [("12 V", "4 kg")]


def test_what_is_told_in_other_words_is_not_unanswerable() -> None:
    def asked(*facts: KnownFact, mentioned: tuple[tuple[str, str], ...] = ()) -> list[ProbeRow]:
        found = unanswerable_probes(facts, mentions=lambda *each: each in mentioned)
        return [row for row in found if " T-7" in row.question]

    def names(*attributes: str, mentioned: tuple[tuple[str, str], ...] = ()) -> set[str]:
        weight = fact("T-7", "weight", "4 kg")
        own = [fact("T-7", name, "x") for name in attributes]
        rows = asked(weight, *own, mentioned=mentioned)
        return {row.question.removeprefix("What is the ").split(" of the ")[0] for row in rows}

    others = ("noise", "origin", "runtime", "CO2", "release year", "recycled plastic", "returns")
    assert names(*others) == {"storage temperature"}
    assert names(*others, mentioned=(("store", "T-7"),)) == set()
    assert names(*others, mentioned=(("storage temperature", ""),)) == set()
    # A plan has no shipping weight, and a pump no number of seats.
    assert asked(fact("T-7", "price", "9 euros")) == []
    seats = [fact(name, "seats", "5 seats", kind="plan") for name in ("Basic", "Pro")]
    assert "What is the seats" not in str(asked(fact("T-7", "price", "9 euros"), *seats))
    assert asked(fact("T-7", "price", "9 euros"), *seats) == []
    seats = [fact(name, "seats", "5 seats") for name in ("Basic", "Pro")]
    assert [row.question for row in asked(fact("T-7", "price", "9 euros"), *seats)] == [
        "What are the seats of the T-7?"
    ]
