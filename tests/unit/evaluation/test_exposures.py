"""How often a run showed the facts of probes, and recall by that count."""

import pytest

from ftdist.data.messages import Message
from ftdist.evaluation.exposures import _Facts, _repeats, exposure_scores
from ftdist.evaluation.probes import Probe
from ftdist.evaluation.report.exposures import exposure_chart, exposure_rows, exposure_text
from ftdist.evaluation.scoring.judge import AnswerVerdict
from ftdist.library.schema import Conversation, Location, Passage, Row


def fact(question: str, *keys: str) -> Probe:
    return Probe(question=question, answer=" ".join(keys), keys=keys, kind="fact")


def chat(question: str, answer: str) -> Conversation:
    return Conversation(
        messages=(
            Message(role="user", content=question),
            Message(role="assistant", content=answer),
        ),
        location=Location("a"),
    )


def test_a_sample_shows_a_fact_if_it_holds_all_keys_and_speaks_of_the_same() -> None:
    facts = _Facts([fact("What does the FP-300 weigh?", "4.2 kg", "steel")])
    facts.add(chat("How heavy is the FP-300?", "It weighs 4.2 kilograms, of steel."), weight=6)
    facts.add(Passage(text="FP-300: steel, 4,2 kg", location=Location("a")), weight=0.5)
    facts.add(chat("How heavy is the FP-300?", "It weighs 4.2 kg."), weight=100)  # one key
    facts.add(chat("And the K-88?", "4.2 kg of steel."), weight=100)  # another thing
    facts.add(chat("Is it 4.2 kg of steel, the FP-300?", "Yes."), weight=100)  # only asked
    assert facts.exposures == [6.5]


def test_a_sample_that_a_pass_repeats_is_counted_as_often() -> None:
    often = [chat(f"{word} heavy is it?", "3 kg.") for word in ("How", "So how", "And how")]
    text = Passage(text="Blue.", location=Location("a"))
    rows: list[Row] = [*often, chat("Is it blue?", "Yes."), text]
    # Three samples and one: the mean is two.
    assert _repeats(rows, oversample=True) == [1, 1, 1, 2, 1]
    assert _repeats(rows, oversample=False) == [1] * 5


def test_keys_are_found_in_one_word_or_two_and_a_digit_needs_more_of_the_question() -> None:
    facts = _Facts([fact("Which radio?", "Wi-Fi"), fact("How many ports has the Tarn?", "4")])
    facts.add(chat("Which radio?", "It has WiFi."), weight=1)
    facts.add(chat("Which radio?", "It has Wi-Fi."), weight=1)
    facts.add(chat("How heavy is the Tarn?", "4 kg."), weight=1)
    facts.add(chat("Ports of the Tarn?", "4."), weight=1)
    assert facts.exposures == [2, 1]


def test_recall_is_counted_by_exposures() -> None:
    probes = [fact("a?", "k1"), fact("b?", "k2", "k3"), fact("c?", "k4"), fact("d?", "k5")]
    missing = [("k1",), ("k2",), (), ()]
    tuned = [AnswerVerdict(right=not each, missing=each) for each in missing]
    base = [AnswerVerdict(right=False, missing=probe.keys) for probe in probes]
    scores = exposure_scores([0, 8, 15.4, 200], probes, base=base, tuned=tuned)

    assert scores["mean"] == pytest.approx(55.85)
    assert scores["never_seen"] == 1
    found = [(b["low"], b["high"], b["probes"], b["tuned"]["value"]) for b in scores["buckets"]]
    assert found == [(0, 0, 1, 0), (8, 15, 2, pytest.approx(2 / 3)), (128, None, 1, 1)]
    assert scores["buckets"][1]["base"]["value"] == 0

    shown = {"exposures": scores}
    assert [row[:2] for row in exposure_rows(shown)] == [
        ("0", "1"), ("8 to 15", "2"), ("128 or more", "1"),
    ]  # fmt: skip
    assert "0.67 after 8 to 15 (2), 1.00 after 128 or more (1)." in exposure_text(shown)
    chart = exposure_chart(shown)
    assert chart is not None
    assert "<svg" in chart.svg


def test_without_exposures_nothing_is_shown() -> None:
    assert (exposure_text({}), exposure_rows({}), exposure_chart({})) == ("", [], None)
