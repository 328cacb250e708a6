"""The general set: well formed, evenly mixed, and apart from everything that ftdist trains on."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files

from examples.a45.facts import FACTS
from examples.a45.general import OUT_OF_SCOPE
from ftdist.evaluation.general_set import general_items, general_passages
from ftdist.library.retention.replay import general_prompts
from ftdist.text.matching import Words, words

PRODUCTS = json.loads(files("ftdist.library.retention").joinpath("products.json").read_text())


def test_the_1000_items_are_general_probes_with_four_choices() -> None:
    assert len(general_items()) >= 1000
    for item in general_items():
        assert item.kind == "general"
        assert len({words(choice) for choice in item.choices}) == 4, item.question
        assert item.choices[item.right_choice] == item.answer
        assert item.keys == (item.answer,)


def test_correct_choices_are_evenly_distributed_over_positions() -> None:
    items = general_items()
    places = Counter(item.right_choice for item in items)
    assert all(abs(places[place] / len(items) - 0.25) < 0.01 for place in range(4))


def test_correct_choices_are_not_recognizable_by_length() -> None:
    # Of four choices of different lengths, the right one is the longest in a quarter of all.
    items = general_items()
    longest = shortest = 0
    for item in items:
        others = [len(choice) for choice in item.choices if choice != item.answer]
        longest += len(item.answer) > max(others)
        shortest += len(item.answer) < min(others)
    assert longest / len(items) < 0.3
    assert shortest / len(items) < 0.3


def test_no_two_questions_are_the_same() -> None:
    questions = [words(item.question) for item in general_items()]
    assert len(set(questions)) == len(questions)


def test_the_first_items_are_of_many_topics() -> None:
    lines = files("ftdist.evaluation.general_set").joinpath("items.jsonl").read_text().splitlines()
    topics = [json.loads(line)["topic"] for line in lines]
    assert len(set(topics)) >= 30
    assert len(set(topics[:100])) >= 0.8 * len(set(topics))


def test_the_200_passages_have_50_to_90_words_and_nothing_in_common() -> None:
    passages = general_passages()
    assert len(passages) >= 200
    assert all(50 <= len(passage.split()) <= 90 for passage in passages)
    runs = Counter(run for passage in passages for run in eight_grams([passage]))
    assert [run for run, count in runs.items() if count > 1] == []


def test_no_question_or_passage_is_in_the_training_data() -> None:
    trained = trained_texts()
    own = [item.question for item in general_items()]
    assert not {words(question) for question in own} & {words(text) for text in trained}
    assert not eight_grams([*own, *general_passages()]) & eight_grams(trained)


def test_no_product_of_an_out_of_scope_question_is_named() -> None:
    # "3" and "4000" are models there, and numbers here.
    models = [model for model in PRODUCTS["models"] if not model.isdigit()]
    names = {words(name) for name in [*PRODUCTS["makers"], *models]}
    longest = max(len(name) for name in names)
    for text in own_texts():
        found = set().union(*(n_grams([text], size=size) for size in range(1, longest + 1)))
        assert not found & names, text


def test_no_item_looks_like_a_model_name_manual_or_page() -> None:
    looks = re.compile(r"\b[A-Z]{1,4}-?\d+\b|\bmanuals?\b|\bpage \d", re.IGNORECASE)
    assert [text for text in own_texts() if looks.search(text)] == []


def own_texts() -> list[str]:
    """Every question, choice and passage of the general set."""
    choices = [choice for item in general_items() for choice in item.choices]
    return [*(item.question for item in general_items()), *choices, *general_passages()]


def trained_texts() -> list[str]:
    """Everything that ftdist brings to train on, and what the example trains and asks."""
    facts = [text for fact in FACTS for text in (fact.says, *fact.train, *fact.held_out)]
    pairs = [text for pair in OUT_OF_SCOPE for text in pair]
    return [*general_prompts(), *PRODUCTS["questions"], *facts, *pairs]


def eight_grams(texts: Iterable[str]) -> set[Words]:
    """Every run of eight words."""
    return n_grams(texts, size=8)


def n_grams(texts: Iterable[str], *, size: int) -> set[Words]:
    """Every run of `size` words."""
    runs: set[Words] = set()
    for text in texts:
        found = words(text)
        runs.update(found[at : at + size] for at in range(len(found) - size + 1))
    return runs
