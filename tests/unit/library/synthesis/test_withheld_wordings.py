"""Wordings of questions that probes ask and training does not hold."""

import pytest

from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.probe_rewordings import reworded
from ftdist.library.synthesis.probe_selection import Withheld, withhold_probe
from ftdist.library.synthesis.probe_variants import other_forms, turned


def test_the_withheld_paraphrase_is_never_trained() -> None:
    training, probe = withhold_probe(["a", "b", "c"], trained=2, overlap_words=13)
    assert (training, probe) == (["a", "c"], Withheld("b", "reworded"))
    assert withhold_probe(["a", "b"], trained=1, overlap_words=13) == (["a"], None)


_LONG = "My boat has a hole. It was built in 1999, so why does it float?"


def test_long_questions_withhold_another_form_and_train_all_paraphrases() -> None:
    worded = paraphrases(_LONG, count=4, seed=1)
    training, probe = withhold_probe(worded, trained=3, overlap_words=13)
    assert probe == Withheld(
        "Why does it float? It was built in 1999. My boat has a hole.", "reordered"
    )
    assert training == worded[:3]


def test_a_withheld_form_shares_no_ngram_with_training() -> None:
    """Without "does" and "the" eight words in a row are left, without "at" and "in" four."""
    question = "Why does the red lamp blink twice at night in winter?"
    worded = paraphrases(question, count=4, seed=1)
    _, held = withhold_probe(worded, trained=3, overlap_words=9)
    assert held == Withheld("Why red lamp blink twice at night in winter?", "shortened")
    _, held = withhold_probe(worded, trained=3, overlap_words=5)
    assert held == Withheld("Why red lamp blink twice night winter?", "shortened")
    assert withhold_probe(worded, trained=3, overlap_words=3) == (worded[:3], None)


def test_forms_of_a_question_keep_its_sentences_or_content_words() -> None:
    assert other_forms("The lamp is red - what does it mean?")[0] == (
        "What does it mean? The lamp is red."
    )
    assert other_forms(
        "I have no idea, and I just don\u2019t know what to do with the A-45, ok?"
    ) == [
        "no idea, don\u2019t know what to do with A-45, ok?",
        "no idea, don\u2019t know what do A-45, ok?",
    ]
    assert turned("If you want it to float, why don't you plug the hole?") == ""
    assert other_forms("Kort fr\u00e5ga?") == []


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("How loud is the pump?", "Do you know how loud the pump is?"),
        ("How often should I replace the impeller?",
         "Do you know how often I should replace the impeller?"),
        ("How long does the battery last?", "Do you know how long the battery lasts?"),
        ("How often must the filter be cleaned?",
         "Do you know how often the filter must be cleaned?"),
        ("What does error E4 mean on the T-7?", "Why do I see error E4 on the T-7?"),
        ("What is the weight of the T-7?", "Which weight does the manual give for the T-7?"),
        ("Can I run it with salt water?", "Is it possible to run it with salt water?"),
    ],
)  # fmt: skip
def test_probes_ask_in_other_words_where_a_rule_fits(question: str, other: str) -> None:
    assert reworded(question) == [other]
    _, held = withhold_probe(paraphrases(question, count=5, seed=1), trained=4, overlap_words=8)
    assert held == Withheld(other, "reworded")
