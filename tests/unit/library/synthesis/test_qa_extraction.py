"""What a document teaches: passages that hold all of it, and questions that it answers."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.library.schema import Block, BlockKind, Document, Location
from ftdist.library.synthesis.answer_keys import answer_keys, common_names
from ftdist.library.synthesis.citations import with_citation
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.passages import passages
from ftdist.library.synthesis.probe_rewordings import reworded
from ftdist.library.synthesis.probe_selection import Withheld, withhold_probe
from ftdist.library.synthesis.probe_variants import other_forms, turned
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.subject import Subject
from ftdist.text.matching import contains_words


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
    assert with_citation("Do it.", title="M", page=12, section="A > B") == "Do it. (M, page 12)"
    assert (
        with_citation("Do it.", title="M", page=None, section="A > B") == 'Do it. (M, section "B")'
    )
    assert with_citation("Do it.", title="M", page=None, section="m") == "Do it. (M)"
    assert with_citation("One\ntwo", title="M", page=1, section="") == "One\ntwo\n\n(M, page 1)"


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


def test_titles_and_ubiquitous_names_give_no_keys() -> None:
    answers = ["The A-45 stops at 30 seconds.", "Only the A-45 does.", "An A-45.", "Ask NUT."]
    assert common_names("", answers) == "A-45"
    answer = "This is a matter for NUT and for the A-45 alone, as we said."
    assert answer_keys(answer, question="Who?", given="A-45") == ["NUT"]


def test_keys_exclude_words_of_the_question() -> None:
    answer = "Edit the file /etc/nut/ups.conf and set 30 seconds for the A-45."
    assert answer_keys(answer, question="Where do I set the A-45 delay?") == [
        "/etc/nut/ups.conf",
        "30 seconds",
    ]
    assert answer_keys("14 hours.", question="How long?") == ["14 hours"]
    for by_chance in ("Yes", "No.", "4"):
        assert answer_keys(by_chance, question="Does it have a timer?") == []
    assert answer_keys("it depends on many things that nobody can know now", question="?") == []


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("It is 25,000-50,000 SEK for a house.", ["25,000", "50,000 SEK"]),
        ("You wait for 8\u201312 weeks, with an a-45 or not.", ["12 weeks"]),
        ("Up to 15 m\u00b2 you need no permit at all.", ["15 m\u00b2"]),
        ("For a house we need a plan at 1:400, no less.", ["1:400"]),
        ("For these the rule 8:2 regulates what is done.", ["8:2"]),
        ("Come to the office at 8:30 am, and no later please.", ["8:30 am"]),
        ("Zaragoza AB does it, as does the EU or some Widget AB.", ["Widget AB"]),
        ("Press the key F1 for as long as it takes.", ["F1"]),
        ("Keep it where it is -20\u201340 \u00b0C and dry.", ["-20", "40 \u00b0C"]),
        ("It holds for 30 and not for 25 of them.", ["30", "25"]),
        ("It was made on 2024-01-15, dial 1-800-555-1234 to ask.", []),
    ],
)
def test_quantities_are_whole_and_ranges_keep_both_ends(answer: str, keys: list[str]) -> None:
    assert answer_keys(answer, question="What?") == keys


@settings(max_examples=200, deadline=None)
@given(st.text("5 0-\u2013.,:Ab\u00b0C\u00b2%/_x\u0301\n", min_size=1, max_size=60))
def test_answers_contain_their_keys(answer: str) -> None:
    for whole in (answer, f"so say we all in one {answer}"):
        assert all(contains_words(whole, key) for key in answer_keys(whole, question="?"))


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("Halden Marine gives a warranty of four years on the pump.", ["four years"]),
        ("In tide mode the pump rests at slack water for half an hour.", ["half an hour"]),
        ("Yes. Rinse it with fresh water twice a month.", ["twice a month"]),
        ("Keep it for about a quarter litre of SAE 80W-90 each.", ["80W-90", "a quarter litre"]),
        ("Order the kit HI-77 for the Halden T-7 from Halden Marine now.", ["HI-77"]),
        ("Drain the housing through the brass plug, and then close it.", ["brass plug"]),
        ("Take the impeller HI-77 after 600 hours of its life.", ["600 hours"]),
        ("The motor is too hot", ["motor is too hot"]),
        ("Once it is dry, only one of them has to be closed again.", []),
    ],
)
def test_number_words_part_numbers_and_parts_are_keys_and_the_maker_is_none(
    answer: str, keys: list[str]
) -> None:
    given = common_names("Halden T-7 Tide Pump", ["Halden Marine makes pumps."])
    assert given == "Halden Marine Pump T-7 Tide"
    question = "How often?" if "600" in answer else "What about the housing?"
    assert answer_keys(answer, question=question, given=given) == keys


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


def test_a_long_answer_has_a_key_for_about_every_25_words() -> None:
    answer = (
        "Your machine obeys and stays down, since an ATX board remembers its last state when the "
        "UPS restarts. You have to do one of these things:\n"
        '- Set something in the BIOS that says "power up after power failure"\n'
        "- Put the POWERDOWNFLAG into upsmon.conf, and wait for at least 90 seconds in the script\n"
        "- Send a SIGHUP to the driver on port 3493, which then reads its file again\n"
        "    sleep 600\n"
        "If you cannot use one of the first two options, ask the maker of the board for help."
    )
    assert len(answer.split()) == 91
    assert answer_keys(answer, question="Why does it stay off?") == [
        "power up after power failure",
        "upsmon.conf",
        "3493",
    ]
    assert answer_keys("The following signs may show that the pump is worn:", question="?") == []
