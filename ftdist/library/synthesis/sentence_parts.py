"""Parts of sentences that rules look for: subjects, actions, and words that name nothing."""

import re
from collections.abc import Sequence

from ftdist.library.synthesis.customer_voice import as_customer
from ftdist.library.synthesis.verb_forms import VERBS, is_plural

_THE = r"(?:The|An?|Your|All) (?:[\w./'+-]+ ){0,5}?[\w./'+-]+"
NAMED = (
    r"(?:[A-Z][\w.+-]*|--?[a-z][\w-]*|[a-z][\w-]+|/[\w./-]+)"
    r"(?: (?:[A-Z][\w.+-]*|[a-z][\w-]+)){0,2}?"
)
SUBJECT = rf"(?P<s>{_THE}|{NAMED})"
NUMBER = r"\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve|half"
_UNITS = r"seconds?|minutes?|hours?|days?|weeks?|months?|years?|milliseconds?|ms|s|min|h"
UNIT = rf"(?<![A-Za-z])(?:{_UNITS})\b"
SIZES = "wide|long|high|deep|tall|thick|old|heavy"
_VAGUE_WORDS = """
following example section figure table user page document chapter text note next previous
latter former result reason idea problem first second third thing same other rest output
default value file command name option way question answer list point goal purpose advantage
difference case best most main only important easiest simplest above below"""
VAGUE = frozenset(_VAGUE_WORDS.split())
_BEFORE_NOUN_WORDS = "default file command user page text output main document"
_BEFORE_NOUNS = frozenset(_BEFORE_NOUN_WORDS.split())
_NO_NAME_WORDS = """
if when while to in on at for with from by as after before once since although because most
many some each every all no not please note never always do make use run set you we i your our
any one two three several few more less much just even until unless during without half nobody
nothing none everything anything something someone everyone both either neither fewer such
still also only now then together here there what which who how why where it this that these
those they sometimes nearly almost usually often occasionally ignore"""
NO_NAMES = frozenset(_NO_NAME_WORDS.split())
_BARE_WORDS = """
key command option file field value parameter setting attribute function object mode module
method script program tool variable directory package query policy label list output result
response request user url host task step process client server"""
BARE = frozenset(_BARE_WORDS.split())
_ADVERBS = frozenset(
    ["still", "also", "only", "never", "always", "now", "then", "often", "usually"]
)


def subject_of(text: str) -> str:
    """A subject as a question names it; "" for one that only its context explains."""
    words = text.split()
    first = words[0].lower()
    if first in NO_NAMES - {"your", "all"} or re.search(
        r"\b(?:that|which|who|and|or|is|are)\b", text
    ):
        return ""
    if first in ("the", "a", "an", "your", "all"):
        if (
            len(words) < 2
            or words[1].lower() in VAGUE
            or words[-1].lower() in VAGUE & {"following"}
        ):
            return ""
        return mine(f"{first} {' '.join(words[1:])}")
    if any(word.lower() in _ADVERBS for word in words) or text.endswith("."):
        return ""
    is_plain = re.sub("[ -]", "", text)[1:].isalpha() and text[1:] == text[1:].lower()
    is_plain = is_plain and (len(words) == 1 or is_plural(text))
    is_adjective = len(words) > 1 and words[0][1:].islower() and words[0].endswith(("ed", "less"))
    if is_adjective:
        return text[0].lower() + text[1:]
    return text.lower() if is_plain and text[0].isupper() else text


def in_sentence(subject: str) -> str:
    """A subject or case behind other words."""
    first, _, rest = subject.partition(" ")
    is_name = first[1:] != first[1:].lower() or re.match(r"[A-Z\d]", rest)
    is_opening = first in ("The", "A", "An", "Our", "Your", "We", "You", "They", "Each", "All")
    return subject if is_name and not is_opening else f"{subject[0].lower()}{subject[1:]}"


def is_vague(words: Sequence[str]) -> bool:
    """Whether a noun phrase means something only in its context, such as "following table"."""
    first = words[0].lower()
    return first in VAGUE and (len(words) == 1 or first not in _BEFORE_NOUNS)


def mine(text: str) -> str:
    """What we say to "you" as somebody asks it: "your pump" gives "my pump", "us" gives "you"."""
    return as_customer(text)


def action_of(text: str) -> str:
    """A phrase that begins with a verb, as one asks it; "" for any other."""
    words = text.split()
    is_verb = bool(words) and words[0] in VERBS and not {"use", "run", "see"} & set(words[1:])
    return mine(text) if is_verb and 2 <= len(words) <= 14 and words[-1] != "yourself" else ""


KINDS = (
    r"\b(?:option|command|parameter|setting|attribute|object|function|feature|button|lamp|menu|port"
    r"|key|flag|directory|variable|module|plugin|tool|switch|valve|program|script|service|daemon"
    r"|method|macro|sensor|package|utility|driver|knob|lever|mode|field|directive|filter|app)$"
)
