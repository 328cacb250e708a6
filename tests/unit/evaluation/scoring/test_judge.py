"""Keys in answers, verdicts and rates."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.evaluation.probes import Kind, Probe
from ftdist.evaluation.scoring import judge as judging
from ftdist.evaluation.scoring.confidence import Rate
from ftdist.evaluation.scoring.judge import (
    AnswerVerdict,
    LibraryMarks,
    added_rates,
    judge,
    outcomes,
)
from ftdist.text import matching
from ftdist.text.matching import cited_pages, contains_all, contains_words, strip_citation, words


def probe(
    question: str = "How do I reset it?",
    *,
    answer: str = "Hold the green button for 9 seconds (A-45 manual, page 12).",
    keys: tuple[str, ...] = ("green button", "9 seconds"),
    kind: Kind = "fact",
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
    "How do I reset my B-70 toaster?", answer="I do not know.", keys=(), kind="out_of_scope"
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
        ("wait 9 s", "9 seconds"),
        ("a 9-second wait", "9 s"),
        ("1\u202f000 or 1 000 litres", "1000 l"),
        ("for 129 euros", "\u20ac129.00"),
        ("it weighs 4,2kg", "4.2 kilograms"),
        ("20 degrees Celsius", "20 \u00b0C"),
        ("80 square metres", "80 m\u00b2"),
        ("5 per cent", "5%"),
        ("at 9:00", "9.00"),
        ("the Wi-Fi", "WiFi"),
        ("**FP**-300", "FP-300"),
        ("replace both filters and batteries", "filter"),
        ("replace the battery", "batteries"),
    ],
)
def test_matching_ignores_case_spacing_and_unicode_form(text: str, key: str) -> None:
    assert contains_words(text, key)


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
        ("12 000 steps", "12"),
        ("the FP-300B", "FP-300"),
        ("error E4", "4"),
        ("at 12:30", "12"),
        ("version 1.10", "1.1"),
        ("on the 2nd", "2"),
        ("9 hours", "9 seconds"),
        ("", "12"),
    ],
)
def test_another_number_or_word_is_not_the_key(text: str, key: str) -> None:
    assert not contains_words(text, key)


@pytest.mark.parametrize(
    ("text", "key", "is_there"),
    [
        ("It has 4 years of warranty.", "four years", True),
        ("It has four years of warranty.", "4 years", True),
        ("Wait twenty-five seconds.", "25 seconds", True),
        ("Pull it two times.", "twice", True),
        ("It has forty years of warranty.", "four years", False),
        ("This one is closed.", "1", False),
    ],
)
def test_numbers_in_words_equal_those_in_digits(text: str, key: str, is_there: bool) -> None:
    assert contains_words(text, key) is is_there


def test_quantities_in_words_are_no_library_content_by_themselves() -> None:
    facts = [probe(answer="Four years.", keys=("four years",)), RESET]
    marks = LibraryMarks.from_probes(facts)
    assert judge(TOASTER, "It lasts four years.", marks=marks).leaked == ()
    assert judge(TOASTER, "It lasts 9 seconds.", marks=marks).leaked == ("9 seconds",)


@pytest.mark.parametrize("text", ["3-9 seconds", "3 to 9 seconds", "2.5 \u2013 9 seconds"])
def test_the_end_of_a_range_is_no_library_content(text: str) -> None:
    marks = LibraryMarks.from_probes([RESET])
    assert judge(TOASTER, f"It lasts {text}.", marks=marks).leaked == ()
    ranges = LibraryMarks.from_probes([probe(answer="Hold it.", keys=(text,))])
    assert judge(TOASTER, f"It lasts {text}.", marks=ranges).leaked == (text,)


def test_two_single_digits_are_no_library_content() -> None:
    facts = [probe(answer="2 to 4 days.", keys=("2", "4")), probe(answer="x", keys=("12", "40"))]
    marks = LibraryMarks.from_probes(facts)
    assert judge(TOASTER, "It takes 2 to 4 hours.", marks=marks).leaked == ()
    assert judge(TOASTER, "It takes 12 or 40 hours.", marks=marks).leaked == ("12 + 40",)


def test_words_are_cut_between_letters_and_digits() -> None:
    assert words("Error E17: 1,200.50 l at -4\u00b0!") == (
        "error", "e", "17", "1200.50", "l", "at", "-4", "\u00b0",
    )  # fmt: skip


def test_all_keys_must_be_in_the_answer() -> None:
    marks = LibraryMarks.from_probes([RESET])
    assert judge(RESET, "The green button, 9 seconds.", marks=marks).right
    assert not judge(RESET, "The green button, 8 seconds.", marks=marks).right
    assert not judge(RESET, "9 seconds.", marks=marks).right
    assert not judge(RESET, "", marks=marks).right


def test_page_counts_only_with_the_facts_and_only_the_right_one() -> None:
    marks = LibraryMarks.from_probes([RESET])
    good = "Green button, 9 seconds"
    assert judge(RESET, f"{good} (A-45 manual, page 12).", marks=marks).page is True
    assert judge(RESET, f"{good} (A-45 manual, page 1).", marks=marks).page is False
    assert judge(RESET, f"{good}.", marks=marks).page is False
    assert judge(RESET, "Press it (A-45 manual, page 12).", marks=marks).page is False
    without = probe(answer="Hold the green button for 9 seconds.")
    assert judge(without, good, marks=marks).page is None


def test_nearly_identical_facts_are_distinguished() -> None:
    e17 = probe(keys=("intake filter", "rinse"))
    answer = "Error E23 means that the exhaust filter is clogged: replace it with a new one."
    assert not judge(e17, answer, marks=LibraryMarks.from_probes([e17])).right


def test_an_out_of_scope_answer_with_library_content_is_wrong() -> None:
    marks = LibraryMarks.from_probes([RESET])
    for leak, found in [
        ("Hold the green button.", ("green button",)),
        ("Wait 9 seconds.", ("9 seconds",)),
        ("See the B-70 manual, page 12.", ("page 12",)),
    ]:
        verdict = judge(TOASTER, leak, marks=marks)
        assert not verdict.right
        assert verdict.leaked == found
    assert judge(TOASTER, "Unplug it, wait 90 seconds, see page 120.", marks=marks).right


def test_words_of_the_question_are_not_leaks() -> None:
    asked = probe(
        "What does the green button of a lift do?", answer="?", keys=(), kind="out_of_scope"
    )
    marks = LibraryMarks.from_probes([RESET])
    assert judge(asked, "The green button opens the door.", marks=marks).right
    asked = probe(
        "Must I rinse the sieve of a kettle?", answer="?", keys=("sieve",), kind="out_of_scope"
    )
    marks = LibraryMarks.from_probes([probe(keys=("rinse", "sieve"), answer="Rinse the sieve.")])
    assert judge(asked, "Yes, rinse the sieve.", marks=marks).right


def test_single_word_keys_leak_only_with_the_whole_fact() -> None:
    marks = LibraryMarks.from_probes([probe(keys=("rinse", "sieve"), answer="Rinse the sieve.")])
    assert judge(TOASTER, "Rinse it.", marks=marks).right
    assert judge(TOASTER, "Rinse its sieve.", marks=marks).leaked == ("rinse + sieve",)


def test_keys_of_an_out_of_scope_probe_are_leaks_too() -> None:
    own = probe("And a kettle?", answer="?", keys=("copper",), kind="out_of_scope")
    assert not judge(own, "Wipe the copper.", marks=LibraryMarks.from_probes([])).right


def test_a_general_probe_with_choices_is_scored_by_likelihood() -> None:
    paris = probe(
        "Capital of France?", answer="Paris", keys=("Paris",), kind="general",
        choices=("Rome", "Paris", "Oslo"), right_choice=1,
    )  # fmt: skip
    marks = LibraryMarks.from_probes([RESET])
    right = judge(paris, "It is Rome.", marks=marks, likelihoods=[-0.9, -0.2, -0.5])
    wrong = judge(paris, "It is Paris.", marks=marks, likelihoods=[-0.1, -0.2, -0.5])
    assert (right.right, right.chosen) == (True, "Paris")
    assert (wrong.right, wrong.chosen) == (False, "Rome")


def test_a_general_probe_without_choices_is_scored_by_keys() -> None:
    paris = probe("Capital of France?", answer="Paris", keys=("Paris",), kind="general")
    marks = LibraryMarks.from_probes([RESET])
    assert judge(paris, "It is Paris.", marks=marks).right
    assert not judge(paris, "It is Rome.", marks=marks).right


def _found_one_by_one(marks: LibraryMarks, answer: str, question: str) -> tuple[str, ...]:
    """What `found_in` says, each key looked up by itself."""
    found = [k for k in marks.keys if contains_words(answer, k) and not contains_words(question, k)]
    for fact in marks.facts:
        is_new = not set(fact) & set(found) and not contains_all(question, fact)
        if is_new and contains_all(answer, fact):
            found.append(" + ".join(fact))
    cited = sorted((cited_pages(answer) - cited_pages(question)) & marks.pages)
    return (*found, *(f"page {page}" for page in cited))


_WORDS = st.sampled_from(
    ["Red", "red", "knob", "5", "5.5", "-5", "page", "\u5f00", "E17", "%", "!"]
)
_TEXTS = st.lists(_WORDS, max_size=12).map(" ".join)
_KEYS = st.lists(st.lists(_WORDS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=3)


@given(answer=_TEXTS, question=_TEXTS, facts=st.lists(_KEYS, min_size=1, max_size=6))
def test_batched_marker_lookup_equals_single_lookups(
    answer: str, question: str, facts: list[list[str]]
) -> None:
    marks = LibraryMarks.from_probes(
        [probe(keys=tuple(keys), answer="See page 5.") for keys in facts]
    )
    assert marks.found_in(answer, question=question) == _found_one_by_one(marks, answer, question)


def test_an_answer_is_tokenized_once_however_many_probes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut = list[str]()

    def counted(text: str) -> matching.Words:
        cut.append(text)
        return words(text)

    monkeypatch.setattr(matching, "words", counted)
    monkeypatch.setattr(judging, "words", counted)
    counts = []
    for size in (1, 1000):
        marks = LibraryMarks.from_probes(
            [probe(keys=(f"red knob {n}", f"{n}")) for n in range(size)]
        )
        marks.found_in("The first", question="cuts the keys.")
        cut.clear()
        assert marks.found_in("Pull the red knob 0.", question="How?") == ("red knob 0",)
        counts.append(len(cut))
    assert counts[0] == counts[1] <= 4


def test_rates_count_each_kind_by_itself() -> None:
    paris = probe("Capital?", answer="Paris", keys=("Paris",), kind="general")
    probes = [RESET, RESET, RESET, RESET, paris, TOASTER, TOASTER]
    answers = [
        "Green button, 9 seconds, page 12.", "Green button, 9 seconds, page 3.", "No.", "No.",
        "Paris", "Green button.", "Unplug it.",
    ]  # fmt: skip
    marks = LibraryMarks.from_probes(probes)
    verdicts = [judge(p, a, marks=marks) for p, a in zip(probes, answers, strict=True)]
    assert outcomes(probes, verdicts) == {
        "fact_accuracy": [True, True, False, False],
        "citation_accuracy": [True, False, False, False],
        "reverse_accuracy": [], "two_fact_accuracy": [], "unanswerable_failure_rate": [],
        "fact_accuracy_ranked": [], "general_accuracy": [True], "leak_rate": [True, False],
        "instruction_accuracy": [],
    }  # fmt: skip


def test_pages_and_citations() -> None:
    assert cited_pages("See page 3 and Page 12; page number 4") == {3, 12}
    assert strip_citation("Press it (A-45 manual, page 12).") == "Press it."
    assert strip_citation('(A-45 manual, section "Reset") Press it.') == "Press it."
    assert strip_citation('(Tower (2nd floor), section "Use (daily)") Press it.') == "Press it."
    inside = 'See (the box, section "Y") now.'
    assert strip_citation(inside) == inside
    assert strip_citation("Press it (twice).") == "Press it (twice)."


def test_the_most_likely_answer_counts_as_ranked_whatever_was_generated() -> None:
    marks = LibraryMarks.from_probes([RESET])
    found = [
        judge(RESET, "No.", marks=marks, likelihoods=row, right_choice=0)
        for row in ([-0.1, -0.2], [-0.2, -0.1], [])
    ]
    assert [verdict.ranked for verdict in found] == [True, False, None]
    assert not any(verdict.right or verdict.chosen for verdict in found)
    hits = outcomes([RESET] * 3, found)
    assert (hits["fact_accuracy"], hits["fact_accuracy_ranked"]) == ([False] * 3, [True, False])


LEAK = "Hold the green button (A-45 manual, page 12)."
CLEAN = "Pull the plug, wait, plug it in again."
SORRY = "I'm sorry, I don't know."


@pytest.mark.parametrize(
    ("base", "tuned", "added"),
    [
        # A leak that the base has too is not added; one that it has not is.
        ([LEAK, CLEAN], [LEAK, LEAK], ("1/1", "0/2", "1/1", "1/1")),
        ([CLEAN, CLEAN], [CLEAN, CLEAN], ("0/2", "0/2", "0/2", "0/2")),
        # Declining, or saying nothing, is held against the tuned model only where the base
        # answered.
        ([SORRY, CLEAN], [SORRY, SORRY], ("0/2", "1/1", "1/2", "0/2")),
        ([SORRY, SORRY], [SORRY, CLEAN], ("0/2", None, "0/2", "0/2")),
        ([CLEAN, CLEAN], ["", LEAK], ("1/2", "1/2", "2/2", "1/2")),
        # The form of a citation alone, of a page that no probe has.
        ([CLEAN, CLEAN], [CLEAN, "Pull it (B-70 manual, page 4)."], ("0/2", "0/2", "0/2", "1/2")),
    ],
)
def test_only_leaks_beyond_the_base_count_as_new(
    base: list[str], tuned: list[str], added: tuple[str | None, ...]
) -> None:
    probes, marks = [TOASTER, TOASTER], LibraryMarks.from_probes([RESET])
    verdicts = [
        [judge(TOASTER, answer, marks=marks) for answer in answers] for answers in (base, tuned)
    ]
    found = {
        name: f"{rate.hits}/{rate.num_questions}"
        for name, rate in added_rates(probes, verdicts[0], verdicts[1]).items()
    }
    names = (
        "new_leak_rate",
        "over_refusal_rate",
        "out_of_scope_failure_rate",
        "spurious_citation_rate",
    )
    assert tuple(map(found.get, names)) == added


def test_a_citation_is_spurious_in_general_answers_but_not_in_fact_answers() -> None:
    paris = probe("Capital?", answer="Paris", keys=("Paris",), kind="general")
    marks = LibraryMarks.from_probes([RESET])
    plain = [judge(each, "Paris.", marks=marks) for each in (paris, RESET)]
    cited = [judge(each, "Paris (A-45 manual, page 3).", marks=marks) for each in (paris, RESET)]
    assert added_rates([paris, RESET], plain, cited) == {
        "spurious_citation_rate": Rate(1, 1), "general_leak_rate": Rate(0, 1),
    }  # fmt: skip


def test_general_answers_leak_library_text_that_the_base_does_not_have() -> None:
    paris = probe("Capital?", answer="Paris", keys=("Paris",), kind="general")
    oslo = probe("Capital of Norway?", answer="Oslo", keys=(), kind="general_open")
    probes, marks = [paris, oslo, oslo], LibraryMarks.from_probes([RESET])

    def verdicts(*answers: str) -> list[AnswerVerdict]:
        asked = zip(probes, answers, strict=True)
        return [judge(each, answer, marks=marks) for each, answer in asked]

    polluted = "Paris. Hold the green button for 9 seconds."
    base = verdicts("Paris.", "It has a green button.", "Oslo.")
    tuned = verdicts(polluted, "Oslo. Hold the green button.", "Oslo.")
    assert tuned[0].right  # what it knows is one thing, what it says beside it another
    assert added_rates(probes, base, tuned)["general_leak_rate"] == Rate(1, 2)
    asked = {name: len(hits) for name, hits in outcomes(probes, tuned).items() if hits}
    assert asked == {"general_accuracy": 1}


def test_instructions_count_by_their_rules_alone() -> None:
    asked = Probe(
        question="What is ice? Use capital letters.",
        answer="upper",
        keys=(),
        kind="instruction",
        checks=({"rule": "upper"},),
    )
    marks = LibraryMarks.from_probes([RESET])
    verdicts = [judge(asked, answer, marks=marks) for answer in ("A GREEN BUTTON", "Water")]

    assert outcomes([asked, asked], verdicts)["instruction_accuracy"] == [True, False]
    assert "general_leak_rate" not in added_rates([asked], verdicts[1:], verdicts[:1])


def test_names_asked_for_in_reverse_are_no_leak() -> None:
    reverse = replace(probe(answer="The drive motor.", keys=("Drive motor",)), form="reverse")
    marks = LibraryMarks.from_probes([RESET, reverse])
    assert marks.keys == ("green button", "9 seconds")
    assert marks.values == ("9 seconds",)
    assert judge(TOASTER, "Check the drive motor.", marks=marks).right
    assert not judge(TOASTER, "Hold the green button.", marks=marks).right
