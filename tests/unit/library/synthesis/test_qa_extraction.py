"""What a document teaches: passages that hold all of it, and questions that it answers."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.library.schema import Block, BlockKind, Document, Location
from ftdist.library.synthesis.citations import with_citation
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.passages import passages
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.subject import Subject


def _block(kind: BlockKind, text: str, *, level: int = 0, page: int | None = None) -> Block:
    return Block(kind=kind, text=text, level=level, page=page)


def _document(*blocks: Block) -> Document:
    return Document(title="Manual", blocks=blocks, location=Location("m.pdf"))


_TEXTS = st.lists(
    st.sampled_from(["press", "the", "button.", "lamp", "blinks."]), min_size=1, max_size=60
)
_BLOCKS = st.lists(
    st.tuples(st.sampled_from(["heading", "paragraph", "item", "code"]), _TEXTS),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(_BLOCKS)
def test_every_word_of_a_document_is_in_one_passage(
    drawn: list[tuple[BlockKind, list[str]]],
) -> None:
    blocks = [_block(kind, " ".join(words), level=1) for kind, words in drawn]
    body = Counter(
        word for block in blocks if block.kind != "heading" for word in block.text.split()
    )
    taught = Counter(
        word
        for sample in passages(_document(*blocks), words=20)
        for word in sample.text.split("\n\n", 1)[1].replace("- ", "").split()
    )
    headings = Counter(word for b in blocks if b.kind == "heading" for word in b.text.split())
    assert body - taught == Counter()
    assert taught - body - headings - headings == Counter()


def test_passages_include_title_section_and_page() -> None:
    document = _document(
        _block("heading", "1 Start", level=1, page=3),
        _block("heading", "1.1 Reset", level=2, page=4),
        _block("paragraph", "Hold the button.", page=4),
    )
    (passage,) = passages(document, words=100)
    assert passage.text == "Manual > Start > Reset (page 4)\n\nHold the button."
    assert passage.location == "m.pdf, page 4"


def test_headings_items_tables_and_terms_become_questions() -> None:
    table = Block(
        kind="table",
        text="",
        rows=(("Symptom", "Remedy"), ("The lamp is red", "Charge the battery fully")),
        has_header=True,
        page=7,
    )
    document = _document(
        _block("heading", "Resetting the pump", level=1, page=5),
        _block("paragraph", "Hold the green button."),
        _block("heading", "Trouble", level=1, page=7),
        table,
        _block("item", "Why does it beep?", level=1, page=8),
        _block("paragraph", "The tank is nearly empty."),
        _block("heading", "Options", level=1, page=9),
        _block("term", "--quiet", page=9),
        _block("definition", "Switches the beeper off.", page=9),
    )
    found = {e.question: (e.answer, e.made_by, e.page) for e in questions(document)}
    assert found == {
        "How do I reset the pump?": ("Hold the green button.", "heading", 5),
        "What should I do about this symptom: The lamp is red?": (
            "Charge the battery fully", "symptom", 7,
        ),
        "Why does it beep?": ("The tank is nearly empty.", "faq", 8),
        "What does --quiet do in Manual?": ("Switches the beeper off.", "definition", 9),
    }  # fmt: skip


def test_a_step_with_a_question_in_parentheses_is_no_question() -> None:
    document = _document(
        _block("heading", "Setup", level=1),
        _block("item", "Restart the pump (is this needed after each step?)", level=1),
        _block("item", "Close the lid of the tank and wait.", level=1),
        _block("item", "Why does it beep (twice)?", level=1),
        _block("paragraph", "The tank is nearly empty."),
    )
    assert [pair.question for pair in questions(document)] == ["Why does it beep (twice)?"]


RED, GREEN = "How do I stop it?", "How do I start it?"
PAIRS = {RED: "Press red.", GREEN: "Press green."}


@pytest.mark.parametrize(
    "texts",
    [
        [f"Q: {RED} A: Press red.", f"Q: {GREEN} A: Press green."],
        [f"Q: {RED}", "A: Press red.", f"Q: {GREEN}", "A: Press green."],
        [f"1. {RED} A: Press red.", f"2. {GREEN} A: Press green."],
        [f"Q1. {RED}", "Press red.", f"Q2. {GREEN}", "Press green."],
        [f"Q: {RED} A: Press red. Q: {GREEN} A: Press green."],
        [f"Question: {RED} Press red.", f"Question: {GREEN} Press green."],
        [f"Q: {RED}", "Ask first.", "A: Press red.", f"Q: {GREEN}", "A: Press green."],
    ],
)
@pytest.mark.parametrize("kind", ["paragraph", "item"])
def test_marked_questions_are_paired_with_their_own_answers(
    texts: list[str], kind: BlockKind
) -> None:
    found = questions(_document(*(_block(kind, text) for text in texts)))
    assert {pair.question: pair.answer.removeprefix("- ") for pair in found} == PAIRS


def test_question_without_an_answer_takes_none_from_the_next_question() -> None:
    document = _document(
        _block("paragraph", f"Q: {RED}"),
        _block("paragraph", f"Q: {GREEN} A: Press green."),
        _block("paragraph", "P: 5 bar"),
        _block("heading", "How does it float?", level=1),
        _block("paragraph", "Q: Does it sink? A: No."),
    )
    found = {pair.question: pair.answer for pair in questions(document)}
    assert found == {GREEN: "Press green.\n\nP: 5 bar", "Does it sink?": "No."}


@pytest.mark.parametrize("heading", ["Q: {}", "3. Q: {}", "Question 3: {}", "{}"])
def test_marked_headings_are_questions_without_their_mark(heading: str) -> None:
    document = _document(
        _block("heading", heading.format(RED), level=2), _block("paragraph", "A: Press red.")
    )
    assert [(p.question, p.answer) for p in questions(document)] == [(RED, "Press red.")]


def test_section_called_answer_answers_the_heading_above_it() -> None:
    document = _document(
        _block("heading", RED, level=2),
        _block("heading", "Answer", level=3),
        _block("paragraph", "Press the red key."),
    )
    assert [(p.question, p.answer) for p in questions(document)] == [(RED, "Press the red key.")]


@pytest.mark.parametrize(
    ("rows", "has_header"),
    [
        ((("Question", "Answer"), (RED, "Press red."), (GREEN, "Press green.")), True),
        ((("Frage", "Antwort"), (RED, "Press red."), (GREEN, "Press green.")), False),
        (((RED, "Press red."), (GREEN, "Press green.")), False),
        ((("", "Do"), (RED, "Press red."), (GREEN, "Press green.")), True),
        ((("No", "Question", "By", "Answer"),
          ("1", RED, "Jo", "Press red."), ("2", GREEN, "Jo", "Press green.")), True),
        ((("Answer", "Question"), ("Press red.", RED), ("Press green.", GREEN)), True),
        ((("Q:", RED), ("A:", "Press red."), ("Q:", GREEN), ("A:", "Press green.")), False),
        ((("FAQ", "A"), (f"Q: {RED}", "A: Press red."), (f"Q: {GREEN}", "A: Press green.")), True),
    ],
)  # fmt: skip
def test_column_of_questions_gives_those_questions_and_the_answers_beside_them(
    rows: tuple[tuple[str, ...], ...], has_header: bool
) -> None:
    table = Block(kind="table", text="", rows=rows, has_header=has_header)
    found = questions(_document(table))
    assert {pair.question: pair.answer for pair in found} == PAIRS
    assert {pair.made_by for pair in found} == {"faq"}


def test_row_named_by_signs_alone_gives_no_question() -> None:
    rows = (("Character", "Escaped character"), ("::", "."), ("=", "!="), ("a b", "_"))
    table = Block(kind="table", text="", rows=rows, has_header=True)
    asked = [pair.question for pair in questions(_document(table))]
    assert len(asked) == 1
    assert "a b" in asked[0]


def test_answers_end_with_their_page_or_else_their_section() -> None:
    assert with_citation("Do it.", title="M", page=12, section="A > B") == "(M, page 12) Do it."
    assert (
        with_citation("Do it.", title="M", page=None, section="A > B") == '(M, section "B") Do it.'
    )
    assert with_citation("Do it.", title="M", page=None, section="m") == "(M) Do it."
    assert with_citation("One\ntwo", title="M", page=1, section="") == "(M, page 1)\n\nOne\ntwo"


def test_paraphrases_are_distinct_and_start_with_the_question() -> None:
    found = paraphrases("How do I reset my A-45 widget?", count=5, seed=1)
    assert found[0] == "How do I reset my A-45 widget?"
    assert len(set(found)) == 5
    assert all("A-45 widget" in text and "reset" in text for text in found)
    assert found == paraphrases("How do I reset my A-45 widget?", count=5, seed=1)


def test_non_english_questions_get_no_english_forms() -> None:
    assert paraphrases("Vad kostar ett bygglov?", count=4, seed=1) == [
        "Vad kostar ett bygglov?",
        "Vad kostar ett bygglov",
    ]


@pytest.mark.parametrize(
    ("title", "question", "named"),
    [
        ("Halden T-7 Tide Pump: Owner's Manual", "start the pump", "start the T-7"),
        ("Halden T-7 Tide Pump: Owner's Manual", "clean the filter", "clean the filter on the T-7"),
        ("Network UPS Tools FAQ", "add a driver", "add a driver on Network UPS Tools"),
        ("User Manual", "add a driver", "add a driver"),
        ("index", "add a driver", "add a driver"),
    ],
)
def test_questions_of_headings_name_the_subject_as_people_do(
    title: str, question: str, named: str
) -> None:
    assert Subject.from_title(title).named_in(question, preposition="on") == named
