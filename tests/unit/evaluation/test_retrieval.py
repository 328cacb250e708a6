"""BM25 over the library's passages."""

import pytest

from ftdist.evaluation.library_passages import LibraryPassage
from ftdist.evaluation.retrieval import PassageIndex, contains_keys

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


def test_the_passage_with_the_texts_is_of_the_probes_document_if_one_is() -> None:
    twin = LibraryPassage("Weight | 4 kg", "twin.md")
    index = PassageIndex([*ROWS, twin])
    assert index.best_with(["4 kg"], question="How heavy is the pump?") == PUMP
    found = index.best_with(["4 kg"], question="How heavy is the pump?", document="twin.md")
    assert found == twin
    assert index.best_with(["9 kg"], question="How heavy is the pump?") is None


def test_a_row_belongs_to_its_file() -> None:
    assert ROWS[2].is_of("faq.csv")
    assert not ROWS[2].is_of("faq")
    assert not LibraryPassage("x").is_of("")


def test_keys_may_be_in_different_passages_and_count_as_whole_words() -> None:
    texts = [PUMP.text, LAMP.text]
    assert contains_keys(texts, ["4 kg", "90 euros"])
    assert not contains_keys(texts, ["0 euros"])


def test_an_empty_library_has_no_passages() -> None:
    index = PassageIndex([])
    assert index.search("pump", count=3) == []
    assert index.best_with(["pump"], question="pump") is None
