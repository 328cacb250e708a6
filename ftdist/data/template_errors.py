"""Why a chat template cannot be trained with, or not with one conversation, and what would help."""

import re
from collections.abc import Sequence

from ftdist.errors import DataError

FILE = "the model folder's chat_template.jinja"

MARK = (
    f"in {FILE}, write each answer once and unchanged, or mark the assistant's text with "
    "{% generation %} and {% endgeneration %}."
)

SPLIT = (
    "split it into conversations with one answer each, or take the thoughts (<think>...</think>) "
    "out of all answers but the last (library.reasoning=auto does not learn such answers, "
    "drop takes out all thoughts)."
)

UNTHINK = (
    "take what it leaves out (usually a thought, <think>...</think>) out of the answer "
    f"(library.reasoning=drop takes out all thoughts), or let the template write it (in {FILE})."
)

_EXCERPT = 40


def underivable(what: str, *, remedy: str = MARK) -> DataError:
    """An answer cannot be located in the text.

    Args:
        what: the template does, a clause.
        remedy: what to do about it.
    """
    return DataError(
        f"The model's chat template {what}, so what the assistant wrote cannot be located exactly.",
        remedy=remedy,
    )


def leaves_out(message: int) -> DataError:
    """The template does not write the thought or the text of an answer as they are."""
    return underivable(
        f"changes or leaves out a part of the assistant's text in message {message}",
        remedy=UNTHINK,
    )


def no_end_of_turn(eos_token: str | None) -> DataError:
    """The template writes nothing after an answer; often the next message begins with a token."""
    token = "{{ eos_token }}" if eos_token else "the token that ends an answer"
    return DataError(
        "The model's chat template writes no end of turn after an answer, so no model could learn "
        "to stop.",
        remedy=f"in {FILE}, write {token} at the end of each answer; no change of the "
        "conversations can help.",
    )


def unmarked_opening(opening: str, *, message: int) -> DataError:
    """What stands between prompt and answer is neither learned nor in the prompt."""
    return DataError(
        f"The model's chat template writes {_begin(opening)} before the answer in message "
        f"{message}, neither in the prompt nor as generated text, so the model would have to "
        "write it without having learned it.",
        remedy=f"in {FILE}, move {{% generation %}} before it, or end the generation prompt "
        "with it.",
    )


def ignored_tools(names: Sequence[str]) -> DataError:
    """The template does not tell the model of its tools."""
    return DataError(
        f"The model's chat template does not write the tools ({', '.join(names)}), so the model "
        "would not know of them.",
        remedy="take a model whose chat template writes `tools`, take them out of the "
        f"conversations, or let the template write them (in {FILE}).",
    )


def ignored_call(name: str, *, message: int) -> DataError:
    """The template writes an answer without its call of a tool."""
    return DataError(
        f"The model's chat template leaves out the call of {name} in message {message}.",
        remedy="take a model whose chat template writes `tool_calls`, or let the template write "
        f"them (in {FILE}).",
    )


def ignored_result(*, message: int) -> DataError:
    """The template does not write what a tool returned."""
    return DataError(
        f"The model's chat template leaves out the result of a tool in message {message}.",
        remedy="take a model whose chat template writes messages of the role `tool`, or let the "
        f"template write them (in {FILE}).",
    )


def answerless(message: int) -> DataError:
    """An answer without its thought is nothing."""
    return DataError(
        f"Message {message} is only a thought, which library.reasoning=drop takes out.",
        remedy="give it an answer, take it out of the conversation, or set library.reasoning=auto.",
    )


def two_thoughts(message: int) -> DataError:
    """An answer has one thought in its field, and another one in its text."""
    return DataError(
        f"Message {message} has two different thoughts: its reasoning_content, and <think> in its "
        "content.",
        remedy="keep one of them.",
    )


def merged_border(prompt: str, answer: str, *, number: int) -> DataError:
    """The tokenizer joins the prompt's end and the beginning of the conversation's nth answer."""
    problem = (
        f"The tokenizer joins the end of the prompt for answer {number}, {_end(prompt)}, with the "
        f"beginning of that answer, {_begin(answer)}, so the model would be prompted with other "
        "tokens than it was trained on."
    )
    if answer[:1].isspace():
        return DataError(problem, remedy="remove the blanks at the beginning of the answer.")
    return DataError(
        problem,
        remedy=f"in {FILE}, end the generation prompt without the blanks (the conversation may "
        "have them before an answer).",
    )


class PromptMismatchError(DataError):
    """The prompt for an answer is not how the conversation begins.

    Args:
        prompt: as the template prompts for the answer.
        text: the whole conversation.
        message: number of the answer.
        special: matches special tokens.
    """

    def __init__(self, prompt: str, text: str, *, message: int, special: re.Pattern[str]) -> None:
        pairs = enumerate(zip(prompt, text, strict=False))
        first = next((at for at, (a, b) in pairs if a != b), min(len(prompt), len(text)))
        # The line, or the part after a special token, in which they begin to differ.
        tokens = [match.end() for match in special.finditer(text, 0, first)]
        begin = max(text.rfind("\n", 0, first) + 1, *tokens[-1:], 0)
        if prompt[begin:] and len(prompt) - begin <= _EXCERPT:
            what = f"ends {prompt[begin:]!r}, the conversation continues {_begin(text[begin:])}"
        else:
            begin = max(begin, first - _EXCERPT // 2)
            what = (
                f"has {_begin(prompt[begin:])}, where the conversation has {_begin(text[begin:])}"
            )
        super().__init__(
            f"The prompt for message {message} of the model's chat template {what}, so the model "
            "would be prompted otherwise than it was trained.",
            remedy="change the conversation or the template until both agree.",
        )
        self.agreed = prompt[:begin]

    def for_template(self, *, thoughts_help: bool) -> DataError:
        """The same error where the template mismatches whatever the conversation.

        Args:
            thoughts_help: whether an answer with a thought begins as the prompt ends.
        """
        thoughts = ", or begin each answer with a thought (<think>...</think>)"
        return DataError(
            self.problem,
            remedy=f"in {FILE}, end the generation prompt after {_end(self.agreed)}"
            f"{thoughts if thoughts_help else ''}.",
        )

    def for_conversation(self, *, one_answer_helps: bool) -> DataError:
        """The same error where other conversations match."""
        return DataError(self.problem, remedy=SPLIT if one_answer_helps else self.remedy)


def _begin(text: str) -> str:
    return repr(text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}...")


def _end(text: str) -> str:
    line = text.rstrip("\n").rfind("\n") + 1
    return repr(text[max(line, len(text) - _EXCERPT) :])
