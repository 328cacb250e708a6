"""The bundled instructions, and the rules by which their answers are checked."""

import inspect
from collections import Counter
from typing import Any

import pytest

from ftdist.evaluation.instruction_set import instruction_items
from ftdist.evaluation.instruction_set.checks import RULES, describe, follows
from ftdist.evaluation.instruction_set.languages import LANGUAGES, is_in_language

WORDS = "A well-known dog - small."
"""Four words with "well-known" as one, five as two; the dash is none."""

ABBREVIATED = "Dr. Low lives here, e.g. on Main St. today. It is 3.5 km."

LIST = "Sure! Here you are:\n\n- **Apples**: red\n  - sweet ones\n- Pears\n- Figs\n\nEnjoy!"
STEPS = "1. Boil water.\n   1. Use a pot.\n2) Add tea.\n**3.** Wait."

FOLLOWED: list[tuple[str, dict[str, Any], str]] = [
    ("words", {"at_least": 4, "at_most": 4}, WORDS),
    ("words", {"at_least": 5, "at_most": 5}, WORDS),
    ("sentences", {"at_least": 2, "at_most": 2}, ABBREVIATED),
    ("sentences", {"at_least": 2, "at_most": 2}, 'He said "Go!" and left... slowly. Then nothing'),
    ("sentences", {"at_least": 3, "at_most": 3}, "1. It rains.\n2. It snows. It ends"),
    ("paragraphs", {"at_least": 2, "at_most": 2}, "One.\nStill one.\n \n\nTwo."),
    ("lines", {"at_least": 2, "at_most": 2}, "roses\n\nviolets\n"),
    ("bullets", {"at_least": 3, "at_most": 3}, LIST),
    ("bullets", {"at_least": 2, "at_most": 2}, "* one\n*two\n**not a bullet**"),
    ("bullets", {"at_least": 2, "at_most": 2}, "\u2022 one\n\u2022 two"),
    ("numbered", {"at_least": 3, "at_most": 3}, STEPS),
    ("comma_list", {"at_least": 3, "at_most": 3}, "tea, milk, and juice."),
    ("comma_list", {"at_least": 3, "at_most": 3}, "tea, milk and juice"),
    ("json", {"keys": ["name", "age"]}, '{"name": "Ann", "age": 7, "more": 1}'),
    ("json", {"keys": ["name"]}, '```json\n{"name": "Ann"}\n```'),
    ("json", {"items": 2}, '["a", "b"]'),
    ("upper", {}, "ICE IS 1 THING!"),
    ("lower", {}, "it's in paris, 75001."),
    ("contains", {"texts": ["horse", "morning"]}, "In the Morning, two horses ran."),
    ("repeats", {"word": "star", "at_least": 3}, "A star. Stars! STAR?"),
    ("excludes", {"texts": ["hot", "star"]}, "A shotgun started."),
    ("without", {"characters": ","}, "Red; green."),
    ("begins", {"text": "Dear Aunt Mary"}, "**Dear Aunt Mary**,\nhello"),
    ("begins", {"text": "Yes"}, '"Yes, it is."'),
    ("ends", {"text": "That is all."}, "Owls fly. **That is all.**"),
    ("ends", {"text": "See you soon"}, "Dinner at 7. See you soon!"),
    ("ends", {"text": "Kind regards, Tom"}, "I am ill.\n\nKind regards,\nTom"),
    ("ends", {"text": "?"}, 'Do you sing?"'),
    ("one_of", {"texts": ["yes", "no"]}, "**No.**"),
    ("one_of", {"texts": ["A", "B"]}, "A)"),
    ("number", {}, "1,945."),
    ("number", {}, "**12**"),
    ("title", {"opening": "<<", "closing": ">>"}, "<<The Wind>>\nIt blows."),
    ("quoted", {}, "\u201cHope is \u2018here\u2019.\u201d"),
    ("placeholders", {"at_least": 2}, "Dear [name], come on [the date]."),
    ("bold", {"at_least": 2}, "**Bees** make **thick honey**."),
    ("headings", {"at_least": 2}, "# Day\nlight\n## Night\ndark"),
    ("table", {"columns": 2}, "| fruit | colour |\n|---|:-:|\n| fig | blue |"),
    ("parts", {"count": 2}, "Hello!\n******\nGood day!"),
    ("line_begins", {"text": "Tip:"}, "Rest.\n**Tip:** sleep"),
    ("last_line_begins", {"text": "P.S."}, "Hello.\nP.S. It snows."),
    ("last_line_begins", {"text": "P.S."}, "Hello. P.S. It snows."),
    ("in_order", {"texts": ["apple", "fig", "pear"]}, "Apple, fig, pear"),
]  # fmt: skip

NOT_FOLLOWED: list[tuple[str, dict[str, Any], str]] = [
    ("words", {"at_most": 3}, WORDS),
    ("words", {"at_least": 6}, WORDS),
    ("sentences", {"at_least": 2, "at_most": 2}, "One. Two! Three?"),
    ("sentences", {"at_least": 2, "at_most": 2}, "Only one"),
    ("paragraphs", {"at_least": 2, "at_most": 2}, "One.\nStill one."),
    ("lines", {"at_least": 1, "at_most": 1}, "one\ntwo"),
    ("bullets", {"at_least": 3, "at_most": 3}, "- one\n- two"),
    ("bullets", {"at_least": 1}, "1. one\n2. two"),
    ("numbered", {"at_least": 2}, "- one\n- two"),
    ("comma_list", {"at_least": 3, "at_most": 3}, "tea, milk\njuice"),
    ("json", {"keys": ["name", "age"]}, '{"name": "Ann"}'),
    ("json", {"keys": ["name"]}, 'Here you are: {"name": "Ann"}'),
    ("json", {"keys": []}, "{'name': 1}"),
    ("json", {"items": 2}, '["a"]'),
    ("upper", {}, "ICE is one"),
    ("upper", {}, "12!"),
    ("lower", {}, "in Paris"),
    ("contains", {"texts": ["horse", "morning"]}, "A horsefly in the morning."),
    ("repeats", {"word": "star", "at_least": 3}, "A star. Starlight! Stars?"),
    ("excludes", {"texts": ["star"]}, "It is a STAR."),
    ("without", {"characters": "0123456789"}, "In 12 months."),
    ("begins", {"text": "No"}, "Not really."),
    ("begins", {"text": "Yes"}, "Of course, yes."),
    ("ends", {"text": "thunder"}, "The thunder rolled."),
    ("ends", {"text": "?"}, "Do you sing? I do."),
    ("one_of", {"texts": ["yes", "no"]}, "No, it is not."),
    ("number", {}, "It is 12"),
    ("number", {}, "twelve"),
    ("title", {"opening": "<<", "closing": ">>"}, "<The Wind>"),
    ("title", {"opening": "<<", "closing": ">>"}, "<<>>"),
    ("quoted", {}, 'She said "hope"'),
    ("placeholders", {"at_least": 2}, "Dear [name], dear [name]"),
    ("bold", {"at_least": 1}, "*Bees* are ** bold"),
    ("headings", {"at_least": 1}, "Day #1"),
    ("table", {"columns": 2}, "| fruit | colour |\n|---|---|"),
    ("table", {"columns": 2}, "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |"),
    ("parts", {"count": 2}, "Hello!\nGood day!"),
    ("line_begins", {"text": "Tip:"}, "My tip: sleep"),
    ("last_line_begins", {"text": "P.S."}, "P.S. It snows.\nHello."),
    ("in_order", {"texts": ["apple", "fig", "pear"]}, "Pear, apple, fig"),
]


@pytest.mark.parametrize(("rule", "arguments", "answer"), FOLLOWED)
def test_an_answer_that_follows_passes(rule: str, arguments: dict[str, Any], answer: str) -> None:
    assert follows(answer, [{"rule": rule, **arguments}])


@pytest.mark.parametrize(("rule", "arguments", "answer"), NOT_FOLLOWED)
def test_an_answer_that_does_not_follow_fails(
    rule: str, arguments: dict[str, Any], answer: str
) -> None:
    assert not follows(answer, [{"rule": rule, **arguments}])


def test_every_rule_has_examples_of_both_kinds() -> None:
    assert {rule for rule, *_ in FOLLOWED} | {"language"} == RULES.keys()
    assert {rule for rule, *_ in NOT_FOLLOWED} | {"language"} == RULES.keys()


def test_all_checks_of_an_instruction_count() -> None:
    checks: list[dict[str, Any]] = [{"rule": "upper"}, {"rule": "words", "at_most": 2}]

    assert follows("GOOD DAY", checks)
    assert not follows("GOOD DAY TO YOU", checks)
    assert not follows("Good day", checks)


def test_an_empty_answer_follows_nothing() -> None:
    assert not follows(" \n", [{"rule": "words", "at_most": 20}])


SENTENCES = {
    "de": "Berlin ist die Hauptstadt von Deutschland.",
    "fr": "Le soleil est jaune.",
    "es": "Hay siete d\u00edas en una semana.",
    "it": "Le mucche mangiano l'erba nei campi e il fieno.",
    "pt": "Os peixes vivem no mar e nos rios.",
    "nl": "Sneeuw is bevroren water dat uit de lucht valt.",
    "en": "The capital of Italy is Rome.",
    "ru": "\u0421\u0442\u043e\u043b\u0438\u0446\u0430: \u041f\u0430\u0440\u0438\u0436, Paris.",
    "el": "\u039f \u03ae\u03bb\u03b9\u03bf\u03c2 \u03bb\u03ac\u03bc\u03c0\u03b5\u03b9.",
}


def test_a_sentence_is_in_its_own_language_alone() -> None:
    assert SENTENCES.keys() == set(LANGUAGES)
    for code, sentence in SENTENCES.items():
        found = [each for each in LANGUAGES if is_in_language(sentence, each)]
        assert found == [code], sentence


def test_an_english_answer_with_a_foreign_word_is_english() -> None:
    text = "The German word for dog is Hund, and der is the article of it."

    assert is_in_language(text, "en")
    assert not is_in_language(text, "de")


def test_the_items_are_sound() -> None:
    items = instruction_items()

    assert len(items) >= 200
    assert len({item.question for item in items}) == len(items)
    for item in items:
        assert item.kind == "instruction"
        assert 1 <= len(item.checks) <= 2
        assert item.answer == describe(item.checks)
        for check in item.checks:
            arguments = {name: value for name, value in check.items() if name != "rule"}
            inspect.signature(RULES[check["rule"]]).bind("an answer", **arguments)


def test_the_first_items_are_of_many_rules() -> None:
    first = Counter(check["rule"] for item in instruction_items()[:60] for check in item.checks)

    assert len(first) >= 20


def test_checks_are_described_for_people() -> None:
    checks: list[dict[str, Any]] = [
        {"rule": "words", "at_most": 20},
        {"rule": "contains", "texts": ["sun", "boat"]},
    ]

    assert describe(checks) == "words: at most 20; contains: texts sun, boat"
    assert describe([{"rule": "upper"}]) == "upper"
