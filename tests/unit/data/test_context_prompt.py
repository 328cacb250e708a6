"""The message that asks a question with passages."""

from ftdist.data.context_prompt import with_context


def test_the_passages_come_first_each_delimited_and_the_question_last() -> None:
    message = with_context(
        "What does it weigh? ", ["The pump weighs 4 kg.\n", "It costs 90 euros."]
    )

    assert message == (
        "Answer the question from these texts:\n\n"
        '"""\nThe pump weighs 4 kg.\n"""\n\n"""\nIt costs 90 euros.\n"""\n\n'
        "Question: What does it weigh?"
    )


def test_a_passage_cannot_end_its_own_delimiters() -> None:
    assert with_context("Why?", ['Docs: """quoted""" text']).count('"""') == 2


def test_without_passages_the_message_is_the_question() -> None:
    assert with_context("Why?", []) == "Why?"
