"""Other wordings of a question, by rules that keep its meaning."""

import hashlib
import re
from collections.abc import Sequence

_RULES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), forms)
    for pattern, forms in (
        (
            r"^(?:How (?:do|can|should) (?:I|you|we)|How to) (?P<x>.+?)\?*$",
            (
                "How can I {x}?",
                "What is the way to {x}?",
                "Please explain how to {x}.",
                "I want to {x}. What do I do?",
                "Can you tell me how to {x}?",
                "What steps are needed to {x}?",
                "Help me {x}, please.",
            ),
        ),
        (
            r"^What should I know about (?P<x>.+?)\?*$",
            (
                "Tell me about {x}.",
                "What does the manual say about {x}?",
                "I have a question about {x}. What should I know?",
                "Please explain {x}.",
            ),
        ),
        (
            r"^What should I do about (?P<x>(?:error|fault|alarm|code) .+?)\?*$",
            (
                "How do I fix {x}?",
                "I have {x}. What do I do now?",
                "What helps against {x}?",
                "What is the remedy for {x}?",
            ),
        ),
        (
            r"^What does (?P<x>(?:error|fault|alarm|code) .+?) mean(?P<on> on .+?)\?*$",
            (
                "What is the meaning of {x}{on}?",
                "I see {x}{on}. What does it mean?",
                "Please explain {x}{on}.",
                "What is {x}{on}?",
            ),
        ),
        (
            r"^What (?P<be>is|are) (?!.*\b(?:called|for|about)\?*$)(?P<x>.+?)\?*$",
            (
                "Can you tell me what {x} {be}?",
                "Please explain what {x} {be}.",
                "I would like to know what {x} {be}.",
                "Tell me what {x} {be}.",
            ),
        ),
        (
            r"^What does (?P<x>.+?) (?P<verb>mean|do)\?*$",
            (
                "Can you tell me what {x} {does}?",
                "Please explain what {x} {does}.",
                "I would like to know what {x} {does}.",
            ),
        ),
        (
            r"^Why (?P<be>is|are|does|do|did|can't|doesn't|don't|isn't) (?P<x>.+?)\?*$",
            (
                "What is the reason: why {be} {x}?",
                "Can you explain this to me: why {be} {x}?",
                "I do not understand this: why {be} {x}?",
            ),
        ),
        (
            r"^(?P<be>Is|Are|Can|Could|Does|Do|Will|Should|May|Must) (?P<x>.+?)\?*$",
            (
                "Tell me, please: {be} {x}?",
                "I would like to know: {be} {x}?",
                "A question: {be} {x}?",
            ),
        ),
    )
)
_GENERAL = (
    "I have a question: {q}",
    "Can you answer this? {q}",
    "Please help me with this: {q}",
    "Here is what I would like to know: {q}",
    "{q} Please answer.",
    "A customer asks: {q}",
)
_ENGLISH = re.compile(
    r"\b(?:the|is|are|do|does|how|what|why|can|my|of|to|where|when|which|who|should|i)\b",
    re.IGNORECASE,
)


def paraphrases(question: str, *, count: int, seed: int) -> list[str]:
    """A question in up to `count` wordings, its own first; the same for the same question and seed.

    A question that does not look English gets no more than a form without its mark.
    """
    question = " ".join(question.split())
    bare = question.rstrip("?").rstrip()
    if not looks_english(question):
        return list(dict.fromkeys([question, bare]))[:count]
    forms = [form.format(**parts) for form, parts in _fitting(question)]
    general = [form.format(q=question) for form in _GENERAL]
    first, *rest = _shuffled(general, key=f"{seed} general {question}")
    others = [*_shuffled(forms, key=f"{seed} {question}"), first, bare, *rest]
    return list(dict.fromkeys([question, *others]))[:count]


def looks_english(text: str) -> bool:
    """Whether a text has two of the words without which hardly a question in English is asked."""
    return len(_ENGLISH.findall(text)) >= 2


def _fitting(question: str) -> list[tuple[str, dict[str, str]]]:
    """Forms of the first rule that fits, with what fills them."""
    for pattern, forms in _RULES:
        if match := pattern.match(question):
            parts = {name: text for name, text in match.groupdict().items() if text}
            if "be" in parts:
                parts["be"] = parts["be"].lower()
            parts["does"] = {"do": "does", "mean": "means"}.get(parts.get("verb", ""), "")
            return [(form, parts) for form in forms]
    return []


def _shuffled(texts: Sequence[str], *, key: str) -> list[str]:
    return sorted(texts, key=lambda text: hashlib.blake2b(f"{key}|{text}".encode()).digest())
