"""BM25 over the library's passages."""

import pytest

from ftdist.evaluation.library_passages import LibraryPassage
from ftdist.evaluation.retrieval import PassageIndex, contains_lines, states_keys

PUMP = LibraryPassage("The Tarn pump weighs 4 kg.", "pump.md")
LAMP = LibraryPassage("The Tarn lamp costs 90 euros and weighs 2 kg.", "lamp.md")
ROWS = (PUMP, LAMP, LibraryPassage("Watering by hand takes four hours.", "faq.csv, row 3"))


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("What does the pump weigh?", [PUMP, LAMP]),
        ("How many euros is the LAMP?", [LAMP, PUMP]),
        ("Waterings?", [ROWS[2]]),
        ("Who?", []),
        ("?", []),
    ],
)
def test_passages_with_the_questions_words_are_found_the_best_first(
    question: str, found: list[LibraryPassage]
) -> None:
    index = PassageIndex(ROWS)
    hits = [index.passages[hit] for hit in index.search(question, count=2)]
    assert hits[: len(found)] == found
    assert bool(hits) == bool(found)


def test_scripts_without_spaces_are_searched() -> None:
    index = PassageIndex([LibraryPassage("水泵重四公斤。"), LibraryPassage("水的价格是九元。")])
    assert index.search("水泵多重?", count=1) == [0]


def test_of_more_passages_the_best_are_found_and_ties_keep_the_order_of_the_library() -> None:
    index = PassageIndex([PUMP, LAMP, *[LibraryPassage(f"Tarn, page {n}.") for n in range(5)]])
    assert index.search("Tarn lamp", count=3) == [1, 2, 3]


def test_the_passages_of_one_document_can_be_searched() -> None:
    index = PassageIndex(ROWS)
    ((hit, score),) = index.ranked("Tarn pump", count=3, document="lamp.md")
    assert index.passages[hit] == LAMP
    assert 0 < score < index.ranked("Tarn pump", count=3)[0][1]
    assert index.ranked("Tarn pump", count=3, document="faq.csv") == []


def test_a_row_belongs_to_its_file() -> None:
    assert ROWS[2].is_of("faq.csv")
    assert not ROWS[2].is_of("faq")
    assert not LibraryPassage("x").is_of("")


def test_keys_may_be_in_different_passages_and_are_found_as_the_judge_finds_them() -> None:
    texts = [PUMP.text, LAMP.text, "Tarn lamp | 139 EUR | not 8 kg"]
    assert states_keys(texts, ["4 kg", "90 euros", "139 euros"], known="")
    assert not states_keys(texts, ["0 euros"], known="")
    assert not states_keys(texts, ["8 kg"], known="It weighs 8 kg.")


def test_lines_of_evidence_are_in_a_text_whole() -> None:
    assert contains_lines("# Lamp\n| Price | 90 EUR |", ["Price: 90 EUR"])
    assert not contains_lines("# Lamp\n| Price | 90 EUR |", ["Price: 90 EUR", "Weight"])


def test_an_empty_library_has_no_passages() -> None:
    index = PassageIndex([])
    assert index.search("pump", count=3) == []
    assert index.ranked("pump", count=3, document="pump.md") == []
