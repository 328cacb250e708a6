"""Which known answers stand against each other, and which differ in a detail alone."""

from dataclasses import replace

from ftdist.evaluation.probes import Kind, Probe
from ftdist.evaluation.scoring.distractors import Ranking, can_rank, confusable_groups, rankings


def probe(answer: str, *, kind: Kind = "fact", choices: tuple[str, ...] = ()) -> Probe:
    return Probe(
        question=f"What of {answer}?",
        answer=answer,
        keys=(answer,),
        kind=kind,
        choices=choices,
        right_choice=choices.index(answer) if choices else -1,
    )


E17 = "E17 means that the intake filter is clogged (manual, page 3)."
E23 = "E23 means that the exhaust filter is clogged (manual, page 4)."
RESET = "Hold the green button for 9 seconds (manual, page 1)."
FILL = "Fill the tank with cold water (manual, page 2)."
SOLD = "Since 1999."


def test_a_fact_is_ranked_against_its_three_nearest_answers_without_pages() -> None:
    probes = [probe(answer) for answer in (E17, SOLD, RESET, FILL, E23, E17)]
    first = rankings(probes)[0]
    assert first is not None
    assert first.right == 0
    assert first.choices[:2] == (
        "E17 means that the intake filter is clogged.",
        "E23 means that the exhaust filter is clogged.",
    )
    assert set(first.choices[2:]) == {
        "Hold the green button for 9 seconds.",
        "Fill the tank with cold water.",
    }


def test_probes_keep_their_choices_and_single_answers_have_no_distractor() -> None:
    paris = probe("Paris", kind="general", choices=("Rome", "Paris"))
    out_of_scope = probe("No.", kind="out_of_scope")
    assert rankings([probe(E17), paris, out_of_scope, probe(E17)]) == [
        None,
        Ranking(("Rome", "Paris"), 1),
        None,
        None,
    ]


def test_answers_that_share_more_than_half_of_their_words_are_confusable() -> None:
    # E17 and E23 share 7 of 9 words (e, means, that, the, filter, is, clogged).
    probes = [probe(answer) for answer in (E17, RESET, E23, FILL, E17)]
    assert confusable_groups(probes) == [[0, 2, 4]]
    # 2 of 4 words is not more than half.
    assert confusable_groups([probe("Press the red knob."), probe("Press the brass leaf.")]) == []
    assert confusable_groups([probe("Press the red knob."), probe("Press the red leaf.")]) == [
        [0, 1]
    ]


def test_chain_of_near_answers_is_one_group() -> None:
    probes = [probe("a b c d e f"), probe("a b c d x y"), probe("a b x y z w")]
    assert confusable_groups(probes[::2]) == []
    assert confusable_groups(probes) == [[0, 1, 2]]


def test_names_asked_for_in_reverse_are_neither_ranked_nor_distractors() -> None:
    reverse = replace(probe("The E17."), form="reverse")
    assert rankings([probe(E17), reverse]) == [None, None]
    assert not can_rank([probe(E17), reverse])
    assert can_rank([probe(E17), probe(E23)])
