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
_NAME = re.compile(r"\b(?:in|from|by|at|called|named)\s+(?P<name>[A-Z][\w-]{2,}(?: [A-Z][\w-]+)*)")
"""Such as "made in Germany"."""

_YES = re.compile(r"\W*yes\b", re.IGNORECASE)


def invented_values(
    answer: str, *, question: str, values: Iterable[str], evidence: str = ""
) -> tuple[str, ...]:
    """Concrete values that an answer gives to a question that the library does not answer.

    These are numbers, known values of other facts, names such as in "made in Germany", and "yes" to
    a yes-or-no question, unless the answer declines or says that it is not known. Nothing that the
    question contains counts, nor do names of the evidence. A vague answer without any of them
    invents nothing by this rule.

    Args:
        answer: what the model wrote.
        question: that it answers.
        values: specific values: keys of other probes, and of this one.
        evidence: what the library says of the thing.
    """
    if says_unknown(answer):
        return ()
    question_text, text = KeyText(question), KeyText(answer)
    if _YES_OR_NO.match(question.strip()) and _YES.match(answer):
        return ("yes",)
    found = [value for value in values if text.find(value) and not question_text.find(value)]
    plain = KeyText(_CODES_AND_LIST_MARKS.sub(" ", answer))
    numbers = [word for word in plain.words if is_number(word) and word not in question_text.words]
    evidence_text = KeyText(evidence)
    names = [match["name"] for match in _NAME.finditer(answer)]
    new = [name for name in names if not question_text.find(name) and not evidence_text.find(name)]
    return tuple(dict.fromkeys([*found, *numbers, *new]))
