"""Key facts in answers, negations, and values that are invented."""

import pytest

from ftdist.evaluation.probes import Probe
from ftdist.evaluation.scoring.invented import invented_values
from ftdist.evaluation.scoring.judge import LibraryMarks, judge, key_counts
from ftdist.evaluation.scoring.key_facts import missing_keys


@pytest.mark.parametrize(
    ("answer", "is_stated"),
    [
        ("Hold it for 9 seconds.", True),
        ("No, 9 seconds are enough.", True),
        ("No, it takes 9 seconds.", True),
        ("Not 12 seconds, but 9 seconds.", True),
        ("It takes not more than 9 seconds.", True),
        ("It is not 9 seconds.", False),
        ("It doesn\u2019t take 9 seconds.", False),
        ("Never wait 9 seconds.", False),
    ],
)
def test_a_negated_value_is_not_stated(answer: str, is_stated: bool) -> None:
    missing = missing_keys(answer, ["9 seconds"], known="Wait for 9 seconds.")
    assert missing == (() if is_stated else ("9 seconds",))


def test_what_the_known_answer_negates_is_stated_by_a_negation() -> None:
    keys, known = ["covered"], "Wear is not covered."
    assert missing_keys("No, wear isn\u2019t covered.", keys, known=known) == ()
    assert missing_keys("Yes, it is covered.", keys, known=known) == ("covered",)


def test_keys_are_counted_one_by_one() -> None:
    probe = Probe(
        question="How do I reset it?", answer="Hold the green button for 9 s, then wait 2 minutes.",
        keys=("green button", "9 s", "2 minutes"), kind="fact",
    )  # fmt: skip
    marks = LibraryMarks.from_probes([probe])
    verdict = judge(probe, "Hold the green button for nine seconds.", marks=marks)

    assert (verdict.right, verdict.missing, verdict.num_words) == (False, ("2 minutes",), 7)
    assert key_counts([probe], [verdict]) == ([2], [3])


@pytest.mark.parametrize(
    ("answer", "invented"),
    [
        ("The manual does not mention it.", ()),
        ("The noise level is not specified.", ()),
        ("I do not know.", ()),
        ("The FP-300 is a very quiet pump.", ()),
        ("1. Open the FP-300.\n2. Listen.", ()),
        ("The FP-300 makes 62 dB.", ("62",)),
        ("About sixty decibels.", ("60",)),
        ("As loud as a Brenner X.", ("Brenner X",)),
        ("It was measured in Lund by Halden Marine.", ("Lund", "Halden Marine")),
    ],
)
def test_an_answer_invents_what_it_states_and_the_library_does_not(
    answer: str, invented: tuple[str, ...]
) -> None:
    question = "How loud is the FP-300?"
    assert invented_values(answer, question=question, values=["Brenner X", "FP-300"]) == invented


def test_yes_invents_a_feature_that_the_library_does_not_mention() -> None:
    question = "Does the FP-300 have a timer?"
    assert invented_values("Yes, it has one.", question=question, values=[]) == ("yes",)
    assert invented_values("No, it has none.", question=question, values=[]) == ()
