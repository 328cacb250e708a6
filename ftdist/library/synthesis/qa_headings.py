"""Questions that headings ask: "Resetting the pump", "Winter storage"."""

import re

from ftdist.library.synthesis.paraphrases import looks_english
from ftdist.library.synthesis.subject import Subject
from ftdist.library.synthesis.things import PLACES

_HOW_TO = re.compile(
    r"^(?:How to (?P<how>.+)|(?P<ing>Installing|Configuring|Resetting|Replacing|Cleaning|Removing|"
    r"Upgrading|Updating|Building|Testing|Starting|Stopping|Adding|Connecting|Creating|Deleting|"
    r"Enabling|Disabling|Charging|Pairing|Mounting|Restoring|Running|Using|Setting up|Choosing|"
    r"Storing|Changing|Checking|Draining|Filling|Opening|Closing|Adjusting|Assembling) "
    r"(?!and\b|or\b|notes\b|options\b|hours\b|times?\b|days\b|date\b)(?P<what>.+))$"
)
_BASE_FORMS = {
    "Installing": "install",
    "Configuring": "configure",
    "Resetting": "reset",
    "Replacing": "replace",
    "Cleaning": "clean",
    "Removing": "remove",
    "Upgrading": "upgrade",
    "Updating": "update",
    "Building": "build",
    "Testing": "test",
    "Starting": "start",
    "Stopping": "stop",
    "Adding": "add",
    "Connecting": "connect",
    "Creating": "create",
    "Deleting": "delete",
    "Enabling": "enable",
    "Disabling": "disable",
    "Charging": "charge",
    "Pairing": "pair",
    "Mounting": "mount",
    "Restoring": "restore",
    "Running": "run",
    "Using": "use",
    "Setting up": "set up",
    "Choosing": "choose",
    "Storing": "store",
    "Changing": "change",
    "Checking": "check",
    "Draining": "drain",
    "Filling": "fill",
    "Opening": "open",
    "Closing": "close",
    "Adjusting": "adjust",
    "Assembling": "assemble",
}
_COMMAND = re.compile(
    r"^(?:Set up|Install|Enable|Disable|Configure|Create|Remove|Replace|Restart|Run|Clean)"
    r" (?:the|an?|your|[A-Z][\w.-]*) \S"
)
_EVERY_DOCUMENT_HAS = """
about abstract acknowledgements appendix authors background bibliography bugs changelog changes
conclusion contact contents copyright credits description details disclaimer example examples faq
features foreword glossary imprint index information introduction legal licence license links
motivation name notes options other overview preface purpose questions references related remarks
scope summary support synopsis terms trademarks usage version versions"""
_OF_EVERY_DOCUMENT = frozenset(_EVERY_DOCUMENT_HAS.split())
_MAX_WORDS = 6
_MIN_ANSWER_WORDS = 8
_NO_TOPIC = re.compile(
    r"[?!.:;=<>/\\{}()\[\]|\"]|^\d|^(?:see|for|if|when|what|the following|good to know|getting"
    r"|(?:visit|meet|book|contact|buy|get|join)(?= the\b| your\b| us\b))\b",
    re.I,
)


def how_to_question(heading: str, *, subject: Subject) -> str:
    """The question of a heading such as "Resetting the pump"; "" for another one."""
    if _COMMAND.match(heading):
        return f"{subject.named_in(f'How do I {lower_first(heading)}', preposition='on')}?"
    match = _HOW_TO.match(heading)
    if not match:
        return ""
    what = match["how"] or f"{_BASE_FORMS[match['ing']]} {match['what']}"
    return f"{subject.named_in(f'How do I {lower_first(what)}', preposition='on')}?"


def topic_question(heading: str, *, answer: str, subject: Subject, min_words: int) -> str:
    """The question of a heading that names a topic, such as "Winter storage"; "" for another one.

    Args:
        heading: without its number.
        answer: the text below it, which says whether the document is in English.
        subject: of the document.
        min_words: of the heading.
    """
    words = heading.split()
    is_topic = (
        min_words <= len(words) <= _MAX_WORDS
        and not _NO_TOPIC.search(heading)
        and words[0].lower() not in _OF_EVERY_DOCUMENT
        and any(word[1:] != word[1:].upper() for word in words)
        and heading.casefold() != subject.name.casefold()
    )
    is_english = looks_english(answer) and re.search(r"\bthe\b", answer, re.IGNORECASE)
    is_footnote = re.match(r"[*\u2020\u00b9\u00b2]+ ?\w", answer)
    if not is_topic or not is_english or is_footnote or len(answer.split()) < _MIN_ANSWER_WORDS:
        return ""
    is_model = any(map(str.isdigit, heading))
    is_title = any(word[0].isupper() for word in words[1:])
    topic = f"the {heading}" if is_model else heading if is_title else lower_first(heading)
    question = f"What should I know about {topic}"
    where = "at" if PLACES.search(subject.name) else "for"
    return f"{subject.named_in(question, preposition=where)}?"


def lower_first(text: str) -> str:
    """A text with a lower-case first letter, unless it starts with a name or an abbreviation."""
    first = text.split()[0]
    return text if first[1:] != first[1:].lower() else text[0].lower() + text[1:]
