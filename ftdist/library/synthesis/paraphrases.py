"""Other wordings of a question, by rules that keep its meaning.

They differ in construction and in words: "How do I reset the A-45?" becomes "What are the steps for
resetting the A-45?", "How is the A-45 reset?", "I want to reset the A-45. What do I do?". At most
one of them is the question with a polite phrase before it.
"""

import hashlib
import re
from collections.abc import Sequence

from ftdist.library.synthesis.paraphrase_how import HOW_RULES
from ftdist.library.synthesis.paraphrase_rules import inner
from ftdist.library.synthesis.paraphrase_wh import WH_RULES
from ftdist.library.synthesis.paraphrase_what import WHAT_RULES
from ftdist.library.synthesis.paraphrase_where import WHERE_RULES
from ftdist.library.synthesis.paraphrase_yes_no import YES_NO_RULES
from ftdist.library.synthesis.synonyms import with_synonym

_POLITE = (
    "I have a question: {q}",
    "Can you answer this? {q}",
    "Please help me with this: {q}",
    "Here is what I would like to know: {q}",
    "A customer asks: {q}",
)
_ENGLISH = re.compile(
    r"\b(?:the|is|are|do|does|how|what|why|can|my|of|to|where|when|which|who|should|i"
    r"|there|much|many|often|this|your|it|you|does|any)\b",
    re.IGNORECASE,
)
_CONTRACTIONS = (
    (re.compile(r"^(What|Where|Who|How|When|Why)['\u2019]s\b", re.IGNORECASE), r"\1 is"),
    (re.compile(r"^(What|Where|Who|How|When|Why)['\u2019]re\b", re.IGNORECASE), r"\1 are"),
    (re.compile(r"^How to\b", re.IGNORECASE), "How do I"),
)
_LED = re.compile(
    r"^(?P<lead>(?:If|When|After|Before|While|Once|Unless|During|With|In|On) [^,?]+), "
    r"(?P<core>(?:what|how|why|where|who|which|can|may|must|should|do|does|is|are|will)\b.+)$",
    re.IGNORECASE,
)
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
_WORD = re.compile(r"\w+")
_SYNONYM_IN = 2
"""One form in this many has a word replaced by a synonym."""

_MAX_OVERLAP = 0.75
"""A wording that shares more words with one that is taken comes after those that do not."""


def paraphrases(question: str, *, count: int, seed: int, own: Sequence[str] = ()) -> list[str]:
    """A question in up to `count` wordings, its own first; the same for the same question and seed.

    A question that does not look English gets no more than a form without its mark.

    Args:
        question: one, or a few sentences of which one asks.
        count: wordings, the question included.
        seed: decides which forms are chosen.
        own: wordings known to be good; with any, there are none by rule.
    """
    question = " ".join(question.split())
    bare = question.rstrip("?").rstrip()
    if own:
        return list(dict.fromkeys([question, *own]))[:count]
    if not looks_english(question):
        return list(dict.fromkeys([question, bare]))[:count]
    key = f"{seed} {question}"
    forms = _shuffled(_other_forms(question), key=key)
    varied = [
        with_synonym(text, key=f"{key} {text}") if at % _SYNONYM_IN == 0 else text
        for at, text in enumerate(forms)
    ]
    chosen = _different([question], list(dict.fromkeys(varied)), count=count)
    polite = _shuffled([form.format(q=question) for form in _POLITE], key=f"{key} polite")
    return list(dict.fromkeys([*chosen, bare, polite[0]]))[:count]


def looks_english(text: str) -> bool:
    """Whether a text has two of the words without which hardly a question in English is asked."""
    return len(_ENGLISH.findall(text)) >= 2


def _other_forms(question: str) -> list[str]:
    """Other constructions of a question; the sentences beside it stay where they are."""
    sentences = _SENTENCES.split(question)
    asking = [at for at, text in enumerate(sentences) if text.endswith("?")]
    if len(sentences) > 1:
        if len(asking) != 1:
            return []
        at = asking[0]
        before, after = sentences[:at], sentences[at + 1 :]
        whole = [form for form in _forms(sentences[at]) if form.endswith(("?", "."))]
        return [" ".join([*before, form, *after]) for form in whole]
    return _forms(question)


def _forms(question: str) -> list[str]:
    """Other constructions of one sentence that asks."""
    text = question.rstrip("?. ")
    for pattern, expanded in _CONTRACTIONS:
        text = pattern.sub(expanded, text)
    if led := _LED.match(text):
        core = led["core"][0].upper() + led["core"][1:]
        lead = inner(led["lead"])
        swapped = f"{core} {lead}?"
        moved = [
            f"{led['lead']}, {inner(form)}" for form in _by_rule(core) if form.count("?") == 1
            and form.endswith("?") and _ASKS.match(form)
        ]  # fmt: skip
        return [swapped, *(_by_rule(swapped.rstrip("?")) or moved)]
    return _by_rule(text)


_ASKS = re.compile(
    r"(?:what|how|why|where|who|which|when|can|may|must|should|do|does|is|are|will|am)\b",
    re.IGNORECASE,
)


_RULES = (*HOW_RULES, *WHAT_RULES, *WHERE_RULES, *YES_NO_RULES, *WH_RULES)


def _by_rule(text: str) -> list[str]:
    """What the first rule that has forms makes of a question without its mark."""
    return next(filter(None, (rule.apply(text) for rule in _RULES)), [])


def _different(taken: Sequence[str], forms: Sequence[str], *, count: int) -> list[str]:
    """Forms after those taken: first such that share few words with all before them."""
    chosen, later = list(taken), list[str]()
    words = [_words(text) for text in chosen]
    for form in forms:
        mine = _words(form)
        if max(_overlap(mine, other) for other in words) > _MAX_OVERLAP:
            later.append(form)
        else:
            chosen.append(form)
            words.append(mine)
    return list(dict.fromkeys([*chosen, *later]))[:count]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _overlap(words: frozenset[str], others: frozenset[str]) -> float:
    return len(words & others) / max(1, len(words | others))


def _shuffled(texts: Sequence[str], *, key: str) -> list[str]:
    return sorted(texts, key=lambda text: hashlib.blake2b(f"{key}|{text}".encode()).digest())
