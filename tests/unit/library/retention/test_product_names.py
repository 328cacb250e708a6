"""Product names that are guessed from a library's questions."""

import re
from itertools import islice

import pytest

from ftdist.library.retention.fictional_products import ABBREVIATIONS, similar_names
from ftdist.library.retention.product_names import find_products
from ftdist.library.synthesis.attribute_lexicon import all_attributes


def _found(*questions: str) -> list[str]:
    return find_products([[question] for question in questions])


def test_a_name_is_in_two_questions_and_no_abbreviation_or_error_code() -> None:
    questions = [*["How do I open the A-45?"] * 4, *["Does NUT use USB?"] * 3, *["Why?"] * 12]
    questions += ["What does error E17 mean?"] * 4 + ["Who is Z9?"]
    assert _found(*questions) == ["A-45", "NUT"]
    assert find_products([]) == []


def test_no_abbreviation_of_the_wordings_is_a_products_name() -> None:
    texts = [
        text for attribute in all_attributes()
        for text in (*attribute.questions, *attribute.answers, *attribute.reverse, *attribute.words)
    ]  # fmt: skip
    used = {word for text in texts for word in re.findall(r"\b[A-Z]{2,}\w*\b", text)}
    assert "SKU" in used
    assert used <= ABBREVIATIONS
    asked = ["What is the SKU of the Sable 17?", "Sable 17: which SKU?"]
    assert _found(*asked) == ["Sable 17"]


def test_a_name_of_several_words_with_a_number_is_found_whole() -> None:
    asked = ["How heavy is the Tarnwell Orrin 40?", "Tarnwell Orrin 40: which hose?", "Any hose?"]
    assert _found(*asked) == ["Tarnwell Orrin 40"]


def test_a_capitalised_first_word_is_a_name_only_if_it_is_one_elsewhere() -> None:
    assert _found("Is Kestrel loud?", "Kestrel is loud, why?", "Where do I buy it?") == ["Kestrel"]
    assert _found("Pumps are loud, why?", "Pumps are cheap, why?") == []


def test_wordings_of_one_question_count_once() -> None:
    assert find_products([["Is the K7 loud?", "How loud is the K7?"], ["Why?"]]) == []


def test_one_product_of_a_catalogue_of_150_is_found() -> None:
    """Two questions of 300 name it, which is less than a hundredth: not found; three of 300 are."""
    others = [[f"What is number {n}?"] for n in range(297)]
    assert find_products([*others, *[["Is the K7 loud?"]] * 3]) == ["K7"]
    assert find_products([*others, ["Why?"], *[["Is the K7 loud?"]] * 2]) == []


def test_equally_frequent_names_are_sorted_alphabetically() -> None:
    assert _found("Is K7, J6 or I5 loud?", "Is I5, J6 or K7 new?") == ["I5", "J6", "K7"]


@pytest.mark.parametrize(
    ("name", "starts", "ends"),
    [("A-45", "A-", ""), ("Tarnwell Orrin 40", "Tarnwell Orrin ", ""), ("Q7 mini", "Q", " mini")],
)
def test_a_similar_name_has_another_number_of_the_same_length(
    name: str, starts: str, ends: str
) -> None:
    names = list(islice(similar_names([name], seed=1, library_text=name.casefold()), 20))
    assert name not in names
    assert len(set(names)) > 5
    for other in names:
        number = other.removeprefix(starts).removesuffix(ends)
        assert number.isdigit()
        assert len(other) == len(name)


def test_a_name_of_one_plain_word_has_no_similar_names() -> None:
    assert list(similar_names(["Zaragoza"], seed=1, library_text="")) == []


def test_similar_names_end_where_the_library_names_all_of_them() -> None:
    library = " ".join(f"k{number}" for number in range(10))
    assert list(similar_names(["K7"], seed=1, library_text=library)) == []


def test_a_word_that_other_questions_write_in_lower_case_is_no_product() -> None:
    wordings = [
        ["How much does Dog cost?", "dog price"],
        ["What do you charge for Dog?"],
        ["How many dogs may stay?", "where can a dog swim"],
        ["How do I clean the Tolby?", "tolby clean"],
        ["What does the Tolby weigh?", "tolby weight"],
    ]
    assert find_products(wordings) == ["Tolby"]
