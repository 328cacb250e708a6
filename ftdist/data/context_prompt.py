"""The user's message that asks a question with passages to answer it from.

An evaluation asks it to measure what the model does with the page before it, and context
distillation asks the teacher with it.
"""

from collections.abc import Sequence

_DELIMITER = '"""'


def with_context(question: str, passages: Sequence[str]) -> str:
    """The user's message: the passages first, then the question to answer from them.

    Args:
        question: as the user asks it.
        passages: in the order in which the model reads them; none: the question alone. The caller
            cuts them so that the message and its answer fit the model's positions.
    """
    if not passages:
        return question
    texts = "\n\n".join(
        f"{_DELIMITER}\n{passage.replace(_DELIMITER, '').strip()}\n{_DELIMITER}"
        for passage in passages
    )
    what = "this text" if len(passages) == 1 else "these texts"
    return f"Answer the question from {what}:\n\n{texts}\n\nQuestion: {question.strip()}"
