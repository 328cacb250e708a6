"""Marks where a question names a thing or a part of it, and the text that takes their place."""

import re

from ftdist.library.synthesis.sentence_parts import VAGUE
from ftdist.library.synthesis.things import PLACES, Thing
from ftdist.library.synthesis.verb_forms import ACTIONS, base_form

_AROUND_WORDS = """
water wall walls floor ground sun air rain room house garden grass hedge soil hand hands food tea
coffee milk bathroom kitchen user users child children person manufacturer dealer table road street
world market shop dishwasher oven fridge sink socket-outlet mains internet phone computer power
beach lake sea city way time day night morning evening week month year team lead manager company
customer customers public law police doctor staff guest guests seller supplier hotline dark cold
heat frost winter summer weather drain stairs outside inside sky tap
mixture"""
_AROUND = frozenset(_AROUND_WORDS.split())
"""Nouns of what is around a thing and no part of it."""

NO_PART = (VAGUE - {"case", "page", "main"}) | {"right", "correct"}
_BEFORE_NAME_WORDS = """
a an
all both each every any some two three four five additional other upstream new newer older most"""
_BEFORE_NAMES = frozenset(_BEFORE_NAME_WORDS.split())
_PREPOSITION = "(?:in|on|at|to|from|with|under|by|for|below|above|behind|between|inside)"
_AFTER_NOUN = re.compile(
    r"^(?:in|on|at|to|from|with|without|under|by|for|off|out|up|down|before|after|until|when"
    r"|into|behind|below|above|and|or|is|are|can|must|may|should|will|once|twice|every"
    r"|if|while|over|back|again|straight|together|daily|weekly|as|hot|cold|warm|dry|wet|clean|open|closed|shut|free|full|empty)$"
)
MARK = re.compile(r"\{(?:t|p:[^{}]*)\}")
_SOFTWARE = re.compile(
    r"\b(?:program|software|app|application|tool|service|library|package|system|platform|language|"
    r"server|daemon|suite|website|portal)s?$"
)


def marked_subject(subject: str, thing: Thing | None) -> str:
    """A subject within a question, the thing or its part as a mark; "": it is not clear."""
    text = subject.strip()
    words = text.split()
    first = words[0].lower()
    if thing is not None:
        bare = re.sub(r"^(?:the|this|your) ", "", text, flags=re.IGNORECASE)
        kind = thing.kind.split()
        is_kind = kind and first in ("the", "this", "your") and bare in (kind[-1], thing.kind)
        if bare.casefold() in {n.casefold() for n in thing.bare_names} or is_kind:
            return "{t}"
        for name in sorted(thing.names, key=len, reverse=True):
            owned = re.match(rf"^{re.escape(name)}['\u2019]s (.+)$", text, re.IGNORECASE)
            of = re.match(rf"^the (.+) of {re.escape(name)}$", text, re.IGNORECASE)
            if owned or of:
                return f"{{p:{(owned or of)[1]}}}"  # type: ignore[index]
    if first == "the":
        noun = " ".join(words[1:])
        is_part = re.fullmatch(r"[a-z][a-z-]*(?: [a-z][a-z-]*){0,2}", noun) and not is_around(noun)
        if len(words) < 2 or words[1].lower() in VAGUE or words[-1].lower() in VAGUE:
            return ""
        if thing is not None and is_part and not re.search(r"\b(?:of|in|on|for|with|to)\b", noun):
            return f"{{p:{noun}}}"
        return f"the {noun}"
    is_coded = words[0][1:] != words[0][1:].lower() or any(map(str.isdigit, words[0]))
    is_pair = len(words) > 1 and bool(re.match(r"[A-Z\d&]", words[1]))
    is_name = is_coded or (is_pair and first not in _BEFORE_NAMES)
    return text if is_name else text[0].lower() + text[1:]


def marked(text: str, thing: Thing) -> str:
    """A text with a mark where the thing's name stands."""
    for name in sorted((*thing.names, *thing.bare_names), key=len, reverse=True):
        if found := re.search(rf"(?<![\w'])(?:the )?{re.escape(name)}(?![\w'\u2019])", text):
            return f"{text[: found.start()]}{{t}}{text[found.end() :]}"
    return text


def marked_part(text: str, thing: Thing) -> str:
    """A text with a mark at the first noun phrase that names a part of the thing."""
    if "{" in text:
        return text
    for found in re.finditer(r"\bthe (?=[a-z])", text):
        is_object = bool(re.search(r"\bI (?!let )", text[: found.start()]))
        noun = _noun_at(text[found.end() :], is_object=is_object)
        if kind := _kind_at(text[found.end() :], noun, thing):
            return f"{text[: found.start()]}{{t}}{text[found.end() + len(kind) :]}"
        if noun and is_around(noun):
            continue
        before, after = text[: found.start()], text[found.end() + len(noun) :]
        is_modified = re.match(r" of\b", after) or (
            re.search(r"\b(?:do|does|is|are|can|must|may|should|will) $", before)
            and re.match(rf" {_PREPOSITION}\b", after)
        )
        if not noun or noun.split()[0] in NO_PART or is_modified:
            return text
        if taken := re.match(r" (out|off)(?= (?:before|after|every|once|when|with)\b|$)", after):
            of = " of" if taken[1] == "out" else ""
            return f"{before}the {noun}{taken[0]}{of} {{t}}{after[taken.end() :]}"
        if re.match(
            r" (?:up|down|back|in|on|away)(?: (?:before|after|every|once|when)\b|$)", after
        ):
            return text
        return f"{before}{{p:{noun}}}{after}"
    return text


def _kind_at(text: str, noun: str, thing: Thing) -> str:
    """What a text behind "the" calls the thing itself, such as "bike"; "" if it does not.

    Args:
        text: behind "the".
        noun: that it begins with, "" if that is not clear.
        thing: that may be meant.
    """
    last = thing.kind.rpartition(" ")[2]
    for kind in filter(None, (thing.kind, last, last.rpartition("-")[2])):
        does = re.match(rf"{re.escape(kind)} [a-z]+s (?:[a-z]+ly|hard|too|at|in|on)\b", text)
        if noun == kind or does:
            return kind
    return ""


def _noun_at(text: str, *, is_object: bool) -> str:
    """The noun that a text behind "the" begins with; "" if its end is not clear.

    Args:
        text: behind "the".
        is_object: whether no verb can follow: "hold the main switch".
    """
    words = text.split(" ")
    noun: list[str] = []
    for at, word in enumerate(words[:4]):
        bare = word.rstrip(",.?")
        is_last = at + 1 == len(words) or bare != word
        after = words[at + 1] if not is_last else ""
        if at and (_AFTER_NOUN.match(bare) or bare.endswith("ly")):
            return " ".join(noun)
        is_verb = bool(bare in ACTIONS or bare in ("do", "be", "have") or base_form(bare))
        is_verb = is_verb and not (is_object and is_last)
        if at and is_verb:
            is_clear = (
                is_last
                or bare == "be"
                or _AFTER_NOUN.match(after)
                or re.match(r"(?:the|an?|it\w*)$", after)
            )
            return " ".join(noun) if is_clear else ""
        if at and re.search(r"\w(?:ed|en|ing|ble|ful|ous)$", bare):
            return " ".join(noun)
        if not re.fullmatch(r"[a-z][a-z-]*", bare):
            return ""
        noun.append(bare)
        if is_last:
            return " ".join(noun)
    return ""


def is_around(noun: str) -> bool:
    """Whether a noun names something around a thing, such as the wall, and no part of it."""
    return noun.split()[-1].casefold() in _AROUND


def rendered(text: str, thing: Thing, style: int) -> str:
    """A text with the thing's name at its marks.

    Args:
        text: with marks.
        thing: that is named.
        style: 0: its usual name, 1: another one, -1: a pronoun, because the name stands elsewhere.
    """
    name = other_name(thing) if style == 1 else thing.names[0]

    def put(match: re.Match[str]) -> str:
        part = match[0][3:-1]
        if match[0] == "{t}":
            is_subject = re.search(
                r"\b(?:does|do|is|are|can|must|may|should|will)\s$", match.string[: match.start()]
            )
            they = "they" if is_subject else "them"
            return name if style >= 0 else (they if thing.is_plural else "it")
        if style < 0:
            return f"the {part}"
        if style == 1 and not name.endswith("s") and not name.islower():
            return f"{name}'s {part}"
        where = preposition(thing)
        return f"the {part} {'of' if where in ('with', 'in') else where} {name}"

    named = MARK.sub(put, text, count=1)
    for mark in MARK.findall(named):  # the name stands only once
        again = ("they" if thing.is_plural else "it") if mark == "{t}" else f"the {mark[3:-1]}"
        named = named.replace(mark, again, 1)
    return named


def preposition(thing: Thing) -> str:
    """What stands before a thing where its parts are meant: "in Ledgerly", "with the Sable 17"."""
    if thing.name.islower():
        return "for"
    if PLACES.search(f"{thing.kind} {thing.name}"):
        return "at"
    return "in" if _SOFTWARE.search(thing.kind) else "with"


def other_name(thing: Thing) -> str:
    """The second name of a thing, such as one with its maker; its only one if it has no other."""
    return thing.names[1 % len(thing.names)]
