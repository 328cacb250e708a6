"""Keys in answers, verdicts and rates."""

import pytest

from ftdist.expert.intervals import Rate
from ftdist.expert.match import holds, pages, strip_citation, words
from ftdist.expert.probes import Kind, Probe
from ftdist.expert.scores import LibraryMarks, judge, rates


def probe(
    question: str = "How do I reset it?",
    *,
    answer: str = "Hold the green button for 9 seconds (A-45 manual, page 12).",
    keys: tuple[str, ...] = ("green button", "9 seconds"),
    kind: Kind = "recall",
    choices: tuple[str, ...] = (),
    right_choice: int = -1,
) -> Probe:
    return Probe(
        question=question,
        answer=answer,
        keys=keys,
        kind=kind,
        choices=choices,
        right_choice=right_choice,
    )


RESET = probe()
TOASTER = probe(
    "How do I reset my B-70 toaster?", answer="I do not know.", keys=(), kind="contrast"
)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Press the GREEN   button.", "green button"),
        ("Press the green-button!", "Green Button"),
        ("wait 12 seconds", "12"),
        ("It draws 12V.", "12 V"),
        ("see page 12.", "page 12"),
        ("error E 17", "E17"),
        ("the A\u201145", "A-45"),
        ("1,200 litres", "1200 litres"),
        ("caf\u00e9", "cafe\u0301"),
        ("\uff11\uff12 seconds", "12 seconds"),
        ("\u0661\u0662 seconds", "12 seconds"),
        ("don\u2019t", "don't"),
        ("about 5 % more", "5%"),
        ("\u2212 5, or \u22125 \u00b0C", "-5 \u00b0C"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u8acb\u6309\u7da0\u8272\u6309\u9215\u4e5d\u79d2", "\u7da0\u8272\u6309\u9215"),
        ("between 10-15 bar", "15 bar"),
        ("version 2.4.1", "2.4.1"),
    ],
)
def test_writing_does_not_matter(text: str, key: str) -> None:
    assert holds(text, key)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("wait 120 seconds", "12"),
        ("wait 312 seconds", "12"),
        ("see page 12", "page 1"),
        ("see page 1", "page 12"),
        ("error E170", "E17"),
        ("5.5 bar", "5"),
        ("1.5 bar", "5 bar"),
        ("-5 degrees", "5 degrees"),
        ("10\u00b2 metres", "102 metres"),
        ("2\u00bd cups", "21 cups"),
        ("version 2.4.1", "2.4"),
        ("5 kg", "5 %"),
        ("the button is green", "green button"),
        ("an infrared lamp", "red lamp"),
        ("12,000 steps", "12"),
        ("", "12"),
    ],
)
def test_another_number_or_word_is_not_the_key(text: str, key: str) -> None:
    assert not holds(text, key)


def test_words_are_cut_between_letters_and_digits() -> None:
    assert words("Error E17: 1,200.50 l at -4\u00b0!") == (
        "error", "e", "17", "1200.50", "l", "at", "-4", "\u00b0",
    )  # fmt: skip


def test_all_keys_must_be_in_the_answer() -> None:
    marks = LibraryMarks.of([RESET])
    assert judge(RESET, "The green button, 9 seconds.", marks=marks).right
    assert not judge(RESET, "The green button, 8 seconds.", marks=marks).right
    assert not judge(RESET, "9 seconds.", marks=marks).right
    assert not judge(RESET, "", marks=marks).right


def test_page_counts_only_with_the_facts_and_only_the_right_one() -> None:
    marks = LibraryMarks.of([RESET])
    good = "Green button, 9 seconds"
    assert judge(RESET, f"{good} (A-45 manual, page 12).", marks=marks).page is True
    assert judge(RESET, f"{good} (A-45 manual, page 1).", marks=marks).page is False
    assert judge(RESET, f"{good}.", marks=marks).page is False
    assert judge(RESET, "Press it (A-45 manual, page 12).", marks=marks).page is False
    without = probe(answer="Hold the green button for 9 seconds.")
    assert judge(without, good, marks=marks).page is None


def test_nearly_identical_facts_are_told_apart() -> None:
    e17 = probe(keys=("intake filter", "rinse"))
    answer = "Error E23 means that the exhaust filter is clogged: replace it with a new one."
    assert not judge(e17, answer, marks=LibraryMarks.of([e17])).right


def test_contrast_is_wrong_as_soon_as_the_answer_holds_the_library() -> None:
    marks = LibraryMarks.of([RESET])
    for leak, found in [
        ("Hold the green button.", ("green button",)),
        ("Wait 9 seconds.", ("9 seconds",)),
        ("See the B-70 manual, page 12.", ("page 12",)),
    ]:
        verdict = judge(TOASTER, leak, marks=marks)
        assert not verdict.right
        assert verdict.leaked == found
    assert judge(TOASTER, "Unplug it, wait 90 seconds, see page 120.", marks=marks).right


def test_what_the_question_says_itself_is_no_leak() -> None:
    asked = probe("What does the green button of a lift do?", answer="?", keys=(), kind="contrast")
    marks = LibraryMarks.of([RESET])
    assert judge(asked, "The green button opens the door.", marks=marks).right


def test_single_words_leak_only_as_a_whole_fact() -> None:
    marks = LibraryMarks.of([probe(keys=("rinse", "sieve"), answer="Rinse the sieve.")])
    assert judge(TOASTER, "Rinse it.", marks=marks).right
    assert judge(TOASTER, "Rinse its sieve.", marks=marks).leaked == ("rinse + sieve",)


def test_keys_of_a_contrast_probe_are_leaks_too() -> None:
    own = probe("And a kettle?", answer="?", keys=("copper",), kind="contrast")
    assert not judge(own, "Wipe the copper.", marks=LibraryMarks.of([])).right


def test_retention_with_choices_goes_by_the_likeliest() -> None:
    paris = probe(
        "Capital of France?", answer="Paris", keys=("Paris",), kind="retention",
        choices=("Rome", "Paris", "Oslo"), right_choice=1,
    )  # fmt: skip
    marks = LibraryMarks.of([RESET])
    right = judge(paris, "It is Rome.", marks=marks, likelihoods=[-0.9, -0.2, -0.5])
    wrong = judge(paris, "It is Paris.", marks=marks, likelihoods=[-0.1, -0.2, -0.5])
    assert (right.right, right.chosen) == (True, "Paris")
    assert (wrong.right, wrong.chosen) == (False, "Rome")


def test_retention_without_choices_goes_by_the_keys() -> None:
    paris = probe("Capital of France?", answer="Paris", keys=("Paris",), kind="retention")
    marks = LibraryMarks.of([RESET])
    assert judge(paris, "It is Paris.", marks=marks).right
    assert not judge(paris, "It is Rome.", marks=marks).right


def test_rates_count_each_kind_by_itself() -> None:
    paris = probe("Capital?", answer="Paris", keys=("Paris",), kind="retention")
    probes = [RESET, RESET, RESET, RESET, paris, TOASTER, TOASTER]
    answers = [
        "Green button, 9 seconds, page 12.", "Green button, 9 seconds, page 3.", "No.", "No.",
        "Paris", "Green button.", "Unplug it.",
    ]  # fmt: skip
    marks = LibraryMarks.of(probes)
    verdicts = [judge(p, a, marks=marks) for p, a in zip(probes, answers, strict=True)]
    assert {name: rate.value for name, rate in rates(probes, verdicts).items()} == {
        "recall": 0.5, "recall_with_page": 0.25, "retention": 1.0, "leak": 0.5,
    }  # fmt: skip
    assert set(rates(probes[:1], verdicts[:1])) == {"recall", "recall_with_page"}


def test_wilson_interval_is_the_known_one() -> None:
    # By hand, z^2 = 3.8415: 0 of 48 ends at z^2 / (48 + z^2), 10 of 10 begins at 10 / (10 + z^2).
    assert Rate(0, 48).interval[0] == 0.0
    assert Rate(0, 48).interval[1] == pytest.approx(0.0741, abs=1e-4)
    assert Rate(10, 10).interval[0] == pytest.approx(0.7225, abs=1e-4)
    assert Rate(10, 10).interval[1] == 1.0
    # 45 of 50 (Newcombe's formula by hand): 0.7864 to 0.9565.
    assert Rate(45, 50).interval == pytest.approx((0.7864, 0.9565), abs=1e-4)


def test_pages_and_citations() -> None:
    assert pages("See page 3 and Page 12; page number 4") == {3, 12}
    assert strip_citation("Press it (A-45 manual, page 12).") == "Press it."
    assert strip_citation("Press it (twice).") == "Press it (twice)."
