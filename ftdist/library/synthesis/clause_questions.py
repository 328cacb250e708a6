"""Questions about statements, by what their parts say: how long, when, where, how many."""

import re
from collections.abc import Callable
from dataclasses import replace

from ftdist.library.synthesis.clauses import Clause
from ftdist.library.synthesis.naming import marked, marked_part, marked_subject
from ftdist.library.synthesis.question_draft import QuestionDraft
from ftdist.library.synthesis.sentence_parts import NUMBER, SIZES, UNIT, mine
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.verb_forms import is_plural, third_person

ABOUT = r"(?:about |around |up to |at least |at most |over |under |roughly |nearly )?"
NUMBERS = rf"(?:{NUMBER}|half an?|an?|a whole|a full|several|sixteen|fifteen|twenty|thirty)"
_TIMES = r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|nights?)"
DURATION = re.compile(rf"\bfor {ABOUT}{NUMBERS} (?:\w+ )?{_TIMES}\b(?: or (?:more|longer))?")
OFTEN = re.compile(
    rf"\b(?:every (?:{NUMBER} )?(?:\w+ )?{_TIMES}|once an? \w+|twice an? \w+"
    rf"|(?:daily|weekly|monthly|yearly)(?! rates?| fees?| prices?)"
    rf"|every (?:day|night|morning|evening)|(?:{NUMBER}) times an? \w+)\b"
    r"(?: at \S+ [ap]\.m\.?)?"
)
_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
    "|spring|summer|autumn|winter"
)
_DAYS = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|weekdays|weekends"
WHEN = re.compile(
    r"(?:\b(?:at (?:dusk|dawn|night|noon|midnight|\d{1,2}(?:[.:]\d\d)? ?[ap]\.?m\b\.?|\d{1,2}:\d\d)"
    rf"|(?:in|until|from|since) (?:the )?(?:{_MONTHS}|mornings?|evenings?|following \w+)\b"
    r"(?: \d{4})?"
    rf"|on (?:{_DAYS})|from \d[\d.:]*(?: [ap]\.m\.?)? to \d[\d.:]*(?: ?[ap]\.?m\b\.?)?"
    rf"|by itself after {ABOUT}{NUMBERS} {_TIMES}"
    r"|(?:(?:long|shortly|right|just|directly|immediately|only) )?"
    r"(?:when|after|before|as soon as|once|until|while) \S.*))"
)
_PLACES = (
    "in|on|under|behind|below|above|inside|beside|near|next to|beneath|through|between|at|along"
)
PLACE = re.compile(rf"\b(?:{_PLACES}) (?:the|an?|your|its) [a-z][\w ]+$")
_PLACE_VERBS_WORDS = """
run hang lie stand sit stay live belong go fit"""
_PLACE_VERBS = frozenset(_PLACE_VERBS_WORDS.split())
_COLOURS = re.compile(r"\b(?:white|black|red|blue|green|yellow|grey|gray|silver|clear|copper)\b")
_QUANTITY = re.compile(rf"^{ABOUT}(?P<n>{NUMBER}) (?P<u>[a-z%]+)\b(?P<rest>.*)$")
_UNITS_WORDS = """
kg g tonnes cm mm m km metres meters inches feet litres ml watts volts amps dB percent euros
dollars pounds cents kilos grams kilograms degrees"""
_UNITS = frozenset(_UNITS_WORDS.split())
_WEIGHT = frozenset(["kg", "g", "tonnes", "kilos", "grams", "kilograms", "pounds"])
_MANNER = re.compile(r"\b(?:by|with|using|via) (?:an?|the|your|its)? ?[a-z][\w ]+$")
_ASKED_WHAT = (
    "come with", "run on", "work with", "consist of", "support", "require", "include", "contain",
    "need", "fit", "depend on",
)  # fmt: skip
_STATES_WORDS = """
have cost contain belong mean depend want like love give become"""
_STATES = frozenset(_STATES_WORDS.split())
Found = QuestionDraft | None


def ask_clause(clause: Clause, thing: Thing | None, *, is_short: bool) -> Found:
    """The question of a clause; None if no rule is sure of one.

    Args:
        clause: a statement.
        thing: that its document is about; None: no single one.
        is_short: whether a clause that fits no rule is asked for with yes or no.
    """
    subject = mine(marked_subject(clause.subject, thing))
    rest = re.sub(r"^you\b|(?<=\b(?:to|by) )you\b(?! \w+s? )|(?<=for )you\b", "me", clause.rest)
    clause = replace(clause, rest=mine(rest))
    if not subject or "{" in clause.rest:
        return None
    rules: tuple[Callable[[Clause], Found], ...] = (_counted, _made_of, _size)
    if not clause.is_negated:
        rules += (_duration, _often, _quantity, _when, _where, _colours, _what)
    found = next((draft for draft in (each(clause) for each in rules) if draft), None)
    if found is None and is_short:
        found = _what_does_it(clause) or _yes_no(clause)
    return _named(found, clause, subject, thing) if found else None


def _named(
    draft: QuestionDraft, clause: Clause, subject: str, thing: Thing | None
) -> QuestionDraft:
    """A question with marks for the thing, at its first mention."""
    parts = {name: getattr(draft, name) for name in ("subject", "predicate", "finite")}
    if draft.subject == clause.subject:
        parts["subject"] = subject
    if thing is not None and "{" not in parts["subject"]:
        for name in ("predicate", "finite"):
            parts[name] = marked(parts[name], thing)
        if "{" not in parts["predicate"] and not parts["subject"].startswith("the "):
            parts["predicate"] = marked_part(parts["predicate"], thing)
            parts["finite"] = marked_part(parts["finite"], thing)
    others = [each.replace(clause.subject, subject) for each in draft.others]
    if thing is not None:
        others = [e if "{" in e else marked_part(marked(e, thing), thing) for e in others]
    return replace(draft, others=tuple(others), **parts)


def _asking(opening: str, clause: Clause, *, without: str = "", value: str = "") -> QuestionDraft:
    left = clause.without(without) if without else clause
    return QuestionDraft(
        opening=opening, aux=left.asking_aux, subject=left.subject, predicate=left.predicate,
        finite=left.finite, value=value or without,
    )  # fmt: skip


def _counted(clause: Clause) -> Found:
    """From "Two batteries are in the case" tells how many."""
    match = re.match(
        rf"^(?P<n>{NUMBER}|sixteen|twenty) (?P<u>[a-z-]+s|people)$", clause.subject, re.I
    )
    if not match or clause.is_negated or re.match(UNIT, match["u"]):
        return None
    verb = clause.finite
    return QuestionDraft(
        opening=f"How many {match['u']}", aux="", subject="", predicate=verb, finite=verb,
        value=match["n"],
    )  # fmt: skip


def _made_of(clause: Clause) -> Found:
    match = re.match(r"^made (?:of|from|out of) (?P<v>[a-z].+)$", clause.rest)
    if not match or clause.aux not in ("is", "are") or clause.is_negated:
        return None
    return QuestionDraft(
        opening="What", aux=clause.aux, subject=clause.subject, predicate="made of",
        finite=f"{clause.aux} made of", value=match["v"],
    )  # fmt: skip


def _size(clause: Clause) -> Found:
    """Of "is 140 cm wide"."""
    match = re.match(rf"^(?P<v>{ABOUT}(?:{NUMBER}) [a-z]+) (?P<a>{SIZES})$", clause.rest)
    if not match or clause.aux not in ("is", "are") or clause.is_negated:
        return None
    return QuestionDraft(
        opening=f"How {match['a']}", aux=clause.aux, subject=clause.subject, predicate="",
        finite=clause.aux, value=match["v"],
    )  # fmt: skip


def _duration(clause: Clause) -> Found:
    found = DURATION.search(clause.rest)
    return _asking("How long", clause, without=found[0]) if found else None


def _often(clause: Clause) -> Found:
    found = list(OFTEN.finditer(clause.rest))
    return _asking("How often", clause, without=found[0][0]) if len(found) == 1 else None


def _quantity(clause: Clause) -> Found:
    """From "Carries up to 80 kg", "remembers three heights"."""
    match = _QUANTITY.match(clause.rest)
    if not match or not clause.verb or clause.verb in ("come", "be"):
        return None
    unit, rest = match["u"], match["rest"].strip()
    amount = clause.rest[: match.start("rest")].strip()
    if re.fullmatch(_TIMES, unit):
        opening = "How long"
        if clause.verb not in ("last", "take", "run", "work", "live", "need"):
            return None
    elif unit in _UNITS:
        opening = "How much"
        if clause.verb not in ("carry", "hold", "weigh", "cost", "use", "lift", "bear", "support"):
            return None
    elif is_plural(unit) or unit == "people":
        opening = f"How many {unit}"
    else:
        return None
    bare = Clause(subject=clause.subject, aux="", verb=clause.verb, rest=rest)
    return _asking(opening, bare, value=amount)


def _when(clause: Clause) -> Found:
    found = WHEN.search(clause.rest)
    if not found:
        return None
    is_time = re.match(r"(?:from|at|on) ", found[0]) or found[0].startswith("in ")
    if clause.aux in ("is", "are") and not clause.without(found[0]).rest and not is_time:
        return None
    left = clause.without(found[0]).rest
    if len(left.split()) > 7 or (
        clause.aux in ("is", "are") and re.match(r"(?:to|an?|the) ", left)
    ):
        return None
    is_bound = re.match(
        r"(?:before|after|while|when|until|once) (?:it|they|that|which)\b", found[0]
    )
    return None if is_bound else _asking("When", clause, without=found[0])


def _where(clause: Clause) -> Found:
    found = PLACE.search(clause.rest)
    is_be = clause.aux in ("is", "are") and found and found.start() == 0
    if not found or not (is_be or clause.verb in _PLACE_VERBS):
        return None
    if found[0].startswith(("on its own", "at a time", "at the same")):
        return None
    left = clause.without(found[0])
    return None if left.rest and is_be else _asking("Where", clause, without=found[0])


def _colours(clause: Clause) -> Found:
    match = re.match(r"^in (?P<v>[a-z]+(?:, [a-z]+)*(?: and| or) [a-z]+)$", clause.rest)
    if clause.verb != "come" or not match or not _COLOURS.search(match["v"]):
        return None
    return QuestionDraft(
        opening="What colours", aux=clause.asking_aux, subject=clause.subject,
        predicate="come in", finite=f"{clause.finite.split()[0]} in", value=match["v"],
    )  # fmt: skip


def _what(clause: Clause) -> Found:
    """From "Comes with a wall mount", "runs on Windows": asks for the object."""
    phrase = next((p for p in _ASKED_WHAT if clause.predicate.startswith(f"{p} ")), "")
    value = clause.predicate.removeprefix(phrase).strip()
    if (
        not phrase
        or clause.aux
        or value.startswith("to ")
        or (" and " in value and re.search(r" and \w+s? (?:the|an?) ", value))
    ):
        return None
    verb = third_person(clause.verb) if not clause.is_plural else clause.verb
    return QuestionDraft(
        opening="What", aux=clause.asking_aux, subject=clause.subject, predicate=phrase,
        finite=phrase.replace(clause.verb, verb, 1), value=value,
    )  # fmt: skip


def _what_does_it(clause: Clause) -> Found:
    """From "A float stops the pump" asks what stops it."""
    first = clause.subject.split()[0].lower()
    if first not in ("a", "an") or clause.aux or clause.is_negated or clause.verb in ("", "cost"):
        return None
    return QuestionDraft(
        opening="What", aux="", subject="", predicate=clause.finite, finite=clause.finite,
        value=clause.subject,
    )  # fmt: skip


def _yes_no(clause: Clause) -> Found:
    if not (clause.predicate and len(clause.predicate.split()) <= 12):
        return None
    if clause.aux in ("is", "are") and re.match(r"(?:an?|the) ", clause.rest):
        return None
    if clause.aux in ("can", "may") and not clause.is_negated:
        bare, only, _ = clause.rest.partition(" only ")
        clause = replace(clause, rest=bare) if only else clause
    return replace(_asking("", clause), others=_other_yes_no(clause))


def _other_yes_no(clause: Clause) -> tuple[str, ...]:
    """Other constructions of a question for yes or no; they hold the subject as it stands."""
    subject, predicate = clause.subject, clause.predicate
    if re.match(r"both hands$", subject, re.IGNORECASE) and clause.aux == "must":
        return (f"Do I have to {predicate} with both hands", f"Do I need both hands to {predicate}")
    true = f"Is it true that {subject} {clause.finite}"
    if clause.aux in ("must", "should"):
        has = "Do" if clause.is_plural else "Does"
        return (
            f"{has} {subject} have to {predicate}",
            f"Is it necessary that {subject} {predicate}",
        )
    if clause.aux:
        return (true,)
    if clause.verb in ("need", "require"):
        be = "are" if is_plural(clause.rest) else "is"
        return (f"{be.capitalize()} {clause.rest} needed for {subject}", true)
    if clause.verb in _STATES:
        return (true,)
    off = re.match(r"^off\b ?(?P<rest>.*)$", clause.rest) if clause.verb == "come" else None
    return (f"Can {subject} be taken off {off['rest']}", true) if off else (true,)
