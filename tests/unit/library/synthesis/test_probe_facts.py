"""Probes about facts of things: in reverse, two at once, and what the library does not say."""

from ftdist.library.synthesis.probe_facts import (
    PLAUSIBLE,
    KnownFact,
    reverse_probes,
    two_fact_probes,
    unanswerable_probes,
)


def fact(thing: str, attribute: str, value: str) -> KnownFact:
    return KnownFact(
        thing=thing, the_thing=f"the {thing}", kind="pump", attribute=attribute, value=value,
        evidence=f"{thing} | {attribute} | {value}", document="catalogue.md", section="Pumps",
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
    probe = probes["What are the weight and the price of the FP-300?"]
    assert probe.answer == "Weight: 4.2 kg\nPrice: 129 euros"
    assert (probe.keys, probe.form) == (("4.2 kg", "129 euros"), "two_facts")
    assert probe.evidence == "FP-300 | weight | 4.2 kg\nFP-300 | price | 129 euros"


def test_unanswerable_questions_ask_what_no_text_says_of_the_thing() -> None:
    def mentions(attribute: str, thing: str) -> bool:
        return (attribute, thing) in {("weight", "T-7"), *((name, "") for name in PLAUSIBLE[1:])}

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
