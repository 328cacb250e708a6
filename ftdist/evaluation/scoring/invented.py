"""Find what an answer invents: concrete values where the library gives none."""

import re
from collections.abc import Iterable

from ftdist.evaluation.scoring.refusals import says_unknown
from ftdist.text.matching import KeyText
from ftdist.text.variants import is_number

_CODES_AND_LIST_MARKS = re.compile(
    r"\w*[^\W\d]-?\d[\w-]*|^\s*\d+[.)](?=\s)|\bstep \d+\b", re.MULTILINE | re.IGNORECASE
)
"""Such as FP-300 and the numbers of a list, which state no value."""

_YES_OR_NO = re.compile(
    r"(?:is|are|was|does|do|did|has|have|can|could|may|will|must|should)\b", re.IGNORECASE
)
_YES = re.compile(r"\W*yes\b", re.IGNORECASE)


def invented_values(answer: str, *, question: str, values: Iterable[str]) -> tuple[str, ...]:
    """Concrete values that an answer gives to a question that the library does not answer.

    These are numbers, known values of other facts, and "yes" to a yes-or-no question, unless
    the answer declines or says that it is not known. Nothing that the question contains counts.
    A vague answer without any of them invents nothing by this rule.

    Args:
        answer: what the model wrote.
        question: that it answers.
        values: specific values: keys of other probes, and of this one.
    """
    if says_unknown(answer):
        return ()
    asked, text = KeyText(question), KeyText(answer)
    if _YES_OR_NO.match(question.strip()) and _YES.match(answer):
        return ("yes",)
    found = [value for value in values if text.find(value) and not asked.find(value)]
    plain = KeyText(_CODES_AND_LIST_MARKS.sub(" ", answer))
    numbers = [word for word in plain.words if is_number(word) and word not in asked.words]
    return tuple(dict.fromkeys([*found, *numbers]))
