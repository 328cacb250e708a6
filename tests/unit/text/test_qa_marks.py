"""Marks of questions and answers inside a paragraph."""

import pytest

from ftdist.text.qa_marks import is_answer_name, is_question_name, split_marked


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        ("Q: How do I stop it? A: Press red.", "How do I stop it?", "Press red."),
        ("Q. How do I stop it? A. Press red.", "How do I stop it?", "Press red."),
        ("Q1. How do I stop it? A1. Press red.", "How do I stop it?", "Press red."),
        ("Q) How do I stop it? A) Press red.", "How do I stop it?", "Press red."),
        ("[Q] How do I stop it? [A] Press red.", "How do I stop it?", "Press red."),
        ("Question 1 Stop it how? Answer Press red.", "Stop it how?", "Press red."),
        ("Q - How do I stop it? A - Press red.", "How do I stop it?", "Press red."),
        ("Q.1: How do I stop it? A.1: Press red.", "How do I stop it?", "Press red."),
        ("1) Q: How do I stop it? A: Press red.", "How do I stop it?", "Press red."),
        ("Question: Stop it how? Answer: Press red.", "Stop it how?", "Press red."),
        ("Question 3 Stop it how? Answer 3 Press red.", "Stop it how?", "Press red."),
        ("QUESTION: Stop it how? ANSWER: Press red.", "Stop it how?", "Press red."),
        ("F: Wie geht es? A: Rot dr\u00fccken.", "Wie geht es?", "Rot dr\u00fccken."),
        ("Frage 2: Wie? Antwort 2: So.", "Wie?", "So."),
        ("P: \u00bfC\u00f3mo se para? R: As\u00ed.", "\u00bfC\u00f3mo se para?", "As\u00ed."),
        ("\u95ee\uff1a\u600e\u4e48\u505c\uff1f\u7b54\uff1a\u6309\u7ea2\u952e\u3002",
         "\u600e\u4e48\u505c\uff1f", "\u6309\u7ea2\u952e\u3002"),
        ("How do I stop it? A: Press red.", "How do I stop it?", "Press red."),
        ("Q: Say when it stops A: At noon.", "Say when it stops", "At noon."),
    ],
)  # fmt: skip
def test_question_ends_at_the_mark_of_its_answer(text: str, question: str, answer: str) -> None:
    assert split_marked(text) == [("question", question), ("answer", answer)]


@pytest.mark.parametrize(
    "text",
    [
        "A. Smith built it.",
        "Set P to 5 bar and V to 3 l.",
        "Which key? A) red B) green",
        "R: 5 ohm",
        "The answer: press red.",
        "A - Z of lamps",
        "A) red",
        "(A) red",
        "Which of them? Answer carefully.",
    ],
)
def test_initials_options_and_labels_are_no_marks(text: str) -> None:
    assert split_marked(text) == [("text", text)]


def test_several_questions_in_one_paragraph_keep_their_own_answers() -> None:
    text = "Q: Start how? A: Press green. Wait. Q: Stop how? A: Press red."
    assert split_marked(text) == [
        ("question", "Start how?"),
        ("answer", "Press green. Wait."),
        ("question", "Stop how?"),
        ("answer", "Press red."),
    ]


@pytest.mark.parametrize(
    "name", ["Question", "QUESTIONS", "Q", "Frage", "Fragen", "FAQ", "\u95ee\u9898"]
)
def test_headings_of_columns_of_questions_are_recognized(name: str) -> None:
    assert is_question_name(name)
    assert not is_answer_name(name)
    assert not is_question_name(f"{name} or not")
