"""Counterfactuals: the library's answers to questions about other products."""

import pytest

from ftdist.library.retention.counterfactuals import counterfactuals

LIBRARY = {
    "Hold the green button of the A-45 for 9 seconds.": [
        "How do I reset my A-45?",
        "A-45 reset, please",
    ],
    "Error E17 means that the filter is clogged.": ["What does E17 mean on the A-45?"],
    "No, only with a cable.": ["Does the A-45 work with the B-46?", "Is it waterproof?"],
}


def made(count: int = 100, *, max_characters: int = 1000, seed: int = 1) -> list[tuple[str, str]]:
    return counterfactuals(
        LIBRARY, products=["A-45", "B-46"], count=count, max_characters=max_characters, seed=seed
    )


def test_question_and_answer_name_one_other_product() -> None:
    # The third answer's questions name two products and none.
    pairs = made()
    assert len(pairs) == 3
    assert not any("A-45" in text for pair in pairs for text in pair)
    [reset] = [pair for pair in pairs if pair[0].startswith("How do I reset my ")]
    other = reset[0].removeprefix("How do I reset my ").removesuffix("?")
    assert reset[1] == f"Hold the green button of the {other} for 9 seconds."


def test_each_answer_comes_once_before_one_comes_again() -> None:
    first = [answer.split()[0] for _, answer in made(2)]
    assert sorted(first) == ["Error", "Hold"]


def test_long_answers_are_cut_after_a_word() -> None:
    assert {answer for _, answer in made(max_characters=17)} == {
        "Hold the green",
        "Error E17 means",
    }


@pytest.mark.parametrize("products", [[], ["C-47"]])
def test_a_library_that_names_no_product_has_none(products: list[str]) -> None:
    assert not counterfactuals(LIBRARY, products=products, count=9, max_characters=99, seed=1)
