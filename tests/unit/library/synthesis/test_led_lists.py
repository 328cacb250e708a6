"""Lists below a line that leads them."""

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.lead_ins import lead_in_questions
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair


@pytest.mark.parametrize(
    ("lead", "question"),
    [
        ("Please bring", "What should I bring"),
        ("Please bring the following documents", "Which documents should I bring"),
        ("Send us the following", "What should I send you"),
        ("Put these into the brown bin", "What should I put into the brown bin"),
        ("Do not put in the residual waste bin", "What must I not put in the residual waste bin"),
        ("Never put the following items into the oven", "Which items must I not put into the oven"),
        ("Clean the filter as follows", "How do I clean the filter"),
        ("To book a course", "How do I book a course"),
        ("To reset the pump, proceed as follows", "How do I reset the pump"),
        ("To register a car, you will need the following documents",
         "Which documents do I need to register a car"),
        ("You will need", "What do I need"),
        ("For a refund, you need", "What do I need for a refund"),
        ("If you lose your key", "What should I do if I lose my key"),
        ("If the lamp blinks, check the following", "What should I check if the lamp blinks"),
        ("For your first lesson, please bring", "What should I bring for my first lesson"),
        ("You can pay by", "How can I pay"),
        ("You can cancel your booking in two ways", "How can I cancel my booking"),
        ("You can buy tickets at", "Where can I buy tickets"),
        ("You must not bring", "What must I not bring"),
        ("Members can borrow", "What can members borrow"),
        ("We accept", "What do you accept"),
        ("We do not collect", "What do you not collect"),
        ("We can repair", "What can you repair"),
        ("We offer the following courses", "Which courses do you offer"),
        ("The price includes", "What does the price include"),
        ("The warranty does not cover", "What does the warranty not cover"),
        ("A notice must contain", "What must a notice contain"),
        ("Each room has", "What does each room have"),
        ("The following items are not accepted", "Which items are not accepted"),
        ("The following are free of charge", "What is free of charge"),
        ("Our office hours are", "What are your office hours"),
    ],
)  # fmt: skip
def test_a_lead_in_asks_for_its_list(lead: str, question: str) -> None:
    assert lead_in_questions(lead)[0] == question


@pytest.mark.parametrize(
    "lead",
    [
        "To the left of the door",
        "Proceed as follows",
        "Follow these steps",
        "Refunds are only possible if",
        "You are entitled to",
        "Into the paper bin go",
    ],
)
def test_a_lead_in_that_leaves_its_question_open_asks_nothing(lead: str) -> None:
    assert lead_in_questions(lead) == []


def _items(*texts: str) -> list[Block]:
    return [Block(kind="item", text=text) for text in texts]


def _pairs(*blocks: Block) -> dict[str, QAPair]:
    document = Document(title="Visitors' guide", blocks=blocks, location=Location("guide.md"))
    return {pair.question: pair for pair in questions(document)}


def test_the_answer_is_the_lead_in_with_its_list() -> None:
    lead = Block(kind="paragraph", text="The course takes place outside. Please bring:")
    pair = _pairs(lead, *_items("a towel", "clean shoes"))["What should I bring?"]
    assert pair.answer == "Please bring:\n- a towel\n- clean shoes"


def test_lists_with_the_same_lead_in_are_told_apart_by_their_headings() -> None:
    lead = Block(kind="paragraph", text="Please bring:")
    pairs = _pairs(
        Block(kind="heading", text="Spin class", level=2),
        lead,
        *_items("a towel", "clean shoes"),
        Block(kind="heading", text="Aqua fit", level=2),
        lead,
        *_items("a cap", "a lock"),
    )
    assert "What should I bring?" not in pairs
    assert "a cap" in pairs["Aqua fit: what should I bring?"].answer
    assert "clean shoes" in pairs["Spin class: what should I bring?"].answer
