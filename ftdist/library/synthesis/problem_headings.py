"""Questions that headings of help pages ask: "Weak steam", "Coffee runs too fast"."""

import re

from ftdist.library.synthesis.command_questions import is_command
from ftdist.library.synthesis.qa_headings import lower_first
from ftdist.library.synthesis.statements import sentences

_HELPS = re.compile(
    r"\b(?:help|troubles?\w*|problems?|faults?|fix\w*|first aid|what to do|errors?|issues?"
    r"|solv\w+)\b",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(
    r"(?:leak|nois|smell|odou?r|rust|mould|mold|crash|freeze|freezing|hang|overheat|error|fail|burn|stain|damp"
    r"|vibrat|squeak|smok|spark|bleed|pain|fever|lost)\w*$",
    re.IGNORECASE,
)
"""A problem in one word, not what a page is about, such as "Arrival"."""


def what_to_do(heading: str, *, answer: str, title: str) -> list[str]:
    """Questions of a heading such as "Weak steam" above what to do about it; empty: it is not.

    Args:
        heading: without its number, on a page about several things.
        answer: the text below it.
        title: of the page, which says that it helps.
    """
    is_problem = len(heading.split()) > 1 or _ONE_WORD.match(heading)
    has_advice = any(is_command(sentence, is_step=False) for sentence in sentences(answer))
    if not _HELPS.search(title) or not is_problem or not has_advice:
        return []
    inner = lower_first(heading)
    return [
        f"{heading}. What should I do?",
        f"{heading}: what can I do?",
        f"What helps with this: {inner}?",
        inner,
        f"I have this problem: {inner}. What do I do?",
        f"What is the remedy: {inner}?",
        f"{heading}. How do I fix it?",
    ]
