"""Words of support questions and others that mean the same in them."""

import hashlib
import re

_OF = {
    "turn on": "switch on",
    "switch on": "turn on",
    "turn off": "switch off",
    "switch off": "turn off",
    "turned on": "switched on",
    "turned off": "switched off",
    "turning on": "switching on",
    "turning off": "switching off",
    "buy": "purchase",
    "purchase": "buy",
    "buying": "purchasing",
    "delete": "remove",
    "deleting": "removing",
    "deleted": "removed",
    "repair": "fix",
    "repairing": "fixing",
    "solve": "resolve",
    "choose": "select",
    "select": "choose",
    "choosing": "selecting",
    "put in": "insert",
    "return": "send back",
    "contact": "get in touch with",
    "replace": "swap out",
    "replacing": "swapping out",
    "reduce": "lower",
    "allowed": "permitted",
    "permitted": "allowed",
    "need to": "have to",
    "issue": "problem",
    "quickly": "fast",
    "frequently": "often",
    "manually": "by hand",
    "how often": "how frequently",
    "How often": "How frequently",
    "guarantee": "warranty",
    "warranty": "guarantee",
    "power cable": "power cord",
    "power cord": "power cable",
    "charging cable": "charging cord",
    "clean": "wash",
    "wash": "clean",
    "charge": "recharge",
    "store": "keep",
    "fridge": "refrigerator",
    "refrigerator": "fridge",
    "mobile phone": "smartphone",
    "before first use": "before using it for the first time",
    "begin": "start",
    "close": "shut",
    "rent": "hire",
    "needed": "required",
    "required": "needed",
    "for how long": "how long",
    "detach": "take off",
    "together with": "along with",
}
_VERB_WORDS = """
return repair contact purchase buy reduce clean wash charge store begin close rent detach"""
_VERBS = frozenset((*_VERB_WORDS.split(), "need to"))
"""Replaced only behind "to", "I" and the like: elsewhere they may be nouns."""

_WORDS = re.compile(
    rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, _OF), key=len, reverse=True))})(?![\w-])"
)
_QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"|\u201c[^\u201d]*\u201d")
_BEFORE_VERB = re.compile(r"\b(?:to|I|you|we|can|may|should|must)\s$")


def with_synonym(text: str, *, key: str) -> str:
    """A text with one of its words replaced by another of the same meaning; itself if none has.

    Capitals and quoted text stay: they are names.

    Args:
        text: a question in English.
        key: decides which word is replaced.
    """
    quoted = [range(*match.span()) for match in _QUOTED.finditer(text)]
    found = [
        match
        for match in _WORDS.finditer(text)
        if not any(match.start() in span for span in quoted)
        and (match[0] not in _VERBS or _BEFORE_VERB.search(text[: match.start()]))
    ]
    if not found:
        return text
    match = min(found, key=lambda each: hashlib.blake2b(f"{key}|{each[0]}".encode()).digest())
    return f"{text[: match.start()]}{_OF[match[0]]}{text[match.end() :]}"
