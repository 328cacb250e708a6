"""Wh-questions: what asks for a part of a clause comes first, its auxiliary before the subject.

"The hatch closes at 6.20 pm." is asked for as "What time does the hatch close?", and the step
"Wait for two beeps." as "How many beeps should I wait for?".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ftdist.library.synthesis.answer_spans import without_values
from ftdist.library.synthesis.clauses import STATEMENT_VERBS, base_in_statement, parse
from ftdist.library.synthesis.verb_forms import VERBS, base_form, is_participle, is_plural

GAP = "\ue000"
"""Stands in a clause for the part that is asked for."""

_AUXILIARIES = (
    "is|are|was|were|am|can|cannot|must|may|should|will|would|could|might|need not|had better"
)
_PRONOUN_CLAUSE = re.compile(
    r"^(?P<subject>I|you|we|they|it|he|she|there)(?: (?P<adverb>also|only|always|usually|normally"
    rf"|then|just|still|never))? (?:(?P<aux>{_AUXILIARIES})\b ?)?(?P<rest>.*)$",
    re.IGNORECASE,
)
_CONTRACTIONS = (
    (r"\b(I|you|we|they|it|he|she|there)['\u2019]ll\b", r"\1 will"),
    (r"\b(you|we|they)['\u2019]re\b", r"\1 are"),
    (r"\b(I|you|we|they)['\u2019]ve\b", r"\1 have"),
    (r"\b(it|he|she|there|that)['\u2019]s\b", r"\1 is"),
    (r"\bI['\u2019]m\b", "I am"),
)
_NEGATION = re.compile(
    r"\b(?:not|never|no|cannot|nothing|nobody|none|neither|nor|\w+n['\u2019]t)\b", re.IGNORECASE
)
_PREPOSITIONS = (
    "about|above|across|after|against|along|around|at|before|behind|below|beneath|beside|between|by"
    "|down|during|for|from|in|inside|into|near|of|off|on|onto|over|past|than|through|to|towards"
    "|under|until|up|upon|via|with|within|without|beyond|outside|since|as"
)
_PREPOSITION = re.compile(rf"(?:^|(?<=\s))(?P<word>{_PREPOSITIONS})$", re.IGNORECASE)
_ATTACHED = frozenset(["of", "than", "as", "between"])
"""Prepositions that cannot be taken from their noun."""

_PARTICLES = frozenset(["about", "over", "up", "down", "off", "out", "on", "in"])
_WITH_PARTICLE_WORDS = """
put fill plug turn switch take screw log hand clip pop pull push press write type"""
_WITH_PARTICLE = frozenset(_WITH_PARTICLE_WORDS.split())
_OWN_PREPOSITION = re.compile(
    r"(?:on|in|at|by|between|until|with|from|to|into) (?:which|what|when)"
)
"""Words that ask with a preposition of their own."""

_ONLY = re.compile(r"(?:^|(?<=\s))(?:only|just|about|also|roughly)$", re.IGNORECASE)
_BORDER = re.compile(
    r"\b(?:that|which|who|whose|where|when|if|because|although|while|so|whether|how|what|why)\b"
    r"|[,;:(]| (?:and|or|but) ",
)
"""What a part cannot be brought before: it would leave another clause or a list."""

_NEXT_CLAUSE = re.compile(
    r",? (?:and|but|or|so) (?:then )?(?:you|we|they|it|I|he|she|the|your|our|my|an?|there|please"
    r"|(?P<verb>[a-z]+)(?= ))|,? (?:which|where|who|whose|whereas|so that|because|since) |[;:] | \u2013 "
    r"|, (?=[a-z])"
)
_MEASURED = re.compile(
    r"^(?:high|tall|wide|long|deep|thick|old|away|apart|off|in advance|ahead|early|late|a (?:day|"
    r"night|week|month|year|person|head|piece|time)|each|per \w+|or (?:more|over|older|under|longer)"
    r"|and (?:over|under))\b"
)
"""What belongs to an amount before it: "2.3 metres high"."""

_AFTER_NOUN = re.compile(
    r"\b(?:in|on|at|from|to|of|into|under|behind|beside|near) (?:an?|the|our|your|my|its) [\w-]+"
    r"(?: with| of| for)?$"
)
"""A place before what may belong to it: "in the bucket with"."""

_STARTS_NOUN = re.compile(
    rf"^(?!(?:{_PREPOSITIONS}|a|an|the|my|your|me|you|it|them|back|again|once|twice|every|each|when"
    r"|if|while|before|after|daily|together|first|straight|ahead|away|free|by|to|clear|to be)\b)"
    r"[a-z]"
)
"""What would be left of a noun whose first part is asked for."""

_NOUN_PHRASE = re.compile(r"^(?:an?|the|our|your|my|its|their) \w", re.IGNORECASE)
_BE = frozenset(["is", "are", "was", "were", "am"])
_PERIODS = frozenset(
    "second minute hour day night week month year seconds minutes hours days nights weeks weekends months quarters years seasons".split()
)
_OBJECT = re.compile(
    r"^(?P<verb>[a-z]+)(?P<particle> (?:on|off|up|down|out|in|away|back))? "
    r"(?P<object>(?:the|an?|your|our|my|all|both|any) [a-z][\w-]*(?: (?!(?:and|or|to|in|on|at|for"
    r"|with|from|by|into|onto|under|until|before|after|when|while|if|as|so|is|are|has|that|which|of"
    r"|off|out|up|down|back|away|again|first|over|through|once|twice|straight|against|below|above"
    r"|behind|beneath|beside|near|inside|during|every|each|within|without)\b)[a-z][\w-]*){0,3}"
    r"(?: of (?:the|an?|your|our) [a-z-]+)?)(?P<rest> .*|)$"
)
_SUBJECT = re.compile(
    r"^(?:the|our|your|an?|each|every) (?:[a-z][\w-]* ?)+$|^[A-Z][a-z]+(?: [a-z][\w-]*)+$",
    re.IGNORECASE,
)
_TRANSITIVE_WORDS = """
accept take need require include contain supply reach offer sell use cover mean cause protect hold
provide recommend lend rent hire allow serve"""
_TRANSITIVE = frozenset(_TRANSITIVE_WORDS.split())
_NO_OBJECT = re.compile(
    rf"^(?:{_PREPOSITIONS}|it|its|them|you|me|only|an? quarter|half|place)\b|.*(?:\d|{_BORDER.pattern})",
    re.IGNORECASE,
)
_NO_SUBJECT = re.compile(
    r"^(?:whoever|whatever|those|anyone|everyone|it|they|he|she)\b", re.IGNORECASE
)
_MAX_OBJECT_WORDS = 6
_MIN_PREDICATE_WORDS, _MAX_SUBJECT_WORDS = 3, 6


@dataclass(frozen=True)
class _Clause:
    """A clause with a gap in what follows its verb, or in its subject."""

    subject: str
    aux: str
    """Such as "does"; "" with the gap in the subject."""

    verb: str
    rest: str


def wh_questions(clause: str, words: str, *, is_command: bool) -> list[str]:
    """Questions for the gap of a clause, the most natural first, without a question mark.

    Args:
        clause: as the customer says it, with `GAP` in place of what is asked for; its first word
            is in lower case unless it is a name.
        words: that ask for it, such as "how many degrees".
        is_command: whether the clause is what to do.

    Returns:
        None where the subject is not clear or the gap cannot be moved.
    """
    clause = " ".join(_expanded(clause).split())
    parts = _command(clause) if is_command else _statement(clause)
    if parts is None or GAP in parts.subject:
        return []
    if re.match(r"(?:whoever|whatever|those|anyone|everyone)\b", parts.subject, re.IGNORECASE):
        return []
    parts = _last_verb(parts)
    before, _, after = parts.rest.partition(GAP)
    before, after = before.strip(), after.strip()
    is_denied = _NEGATION.search(before) or (
        parts.subject.endswith(" not") and words.strip() != "why"
    )
    if _BORDER.search(before) or is_denied:
        return []
    if parts.aux in _BE and not parts.verb and _NOUN_PHRASE.match(before):
        return []
    before = _ONLY.sub("", before).strip()
    preposition = None if _OWN_PREPOSITION.match(words) else _PREPOSITION.search(before)
    lead = preposition["word"].lower() if preposition else ""
    is_particle = lead in _PARTICLES and before == lead
    if lead in _ATTACHED or re.search(r"\b(?:the|an?|every|each|your|my|our)$", before):
        return []
    if words.strip() == "when" and re.search(r"\b(?:within|for|until|every)\b", before):
        return []
    is_phrasal = parts.verb in _WITH_PARTICLE and (is_particle or not before)
    if is_phrasal and not words.startswith("how "):
        return []
    is_bound = _AFTER_NOUN.search(before) and re.match(r"(?:with|of|for)\b", lead or words)
    if is_bound:
        return []
    before = before[: preposition.start()].strip() if preposition else before
    measured = _MEASURED.match(after)
    if measured and not lead:
        words, after = f"{words} {measured[0]}", after[measured.end() :].strip()
    after = "" if re.match(r"(?:where|which|who|whose|that)\b", after) else _own(after)
    has_time = parts.verb in ("have", "take", "need") and not before
    if after.startswith((",", "(")) or re.match(r"(?:and|or|of|-)\b", after):
        return []
    if re.match(r"to\b", after) and not has_time:
        return []
    if words.startswith("how ") and _STARTS_NOUN.match(after) and not measured:
        return []
    if not words.startswith("how ") and re.match(r"(?:with|of)\b", after):
        after = ""
    found = []
    for opening, end in _openings(words, lead, is_last=not after, is_particle=is_particle):
        body = (parts.aux, parts.subject, parts.verb, before, after, end)
        found.append(" ".join(" ".join(part for part in (opening, *body) if part).split()))
    return list(dict.fromkeys(found))


def _last_verb(parts: _Clause) -> _Clause:
    """A clause with the last of several verbs before its gap: "costs nothing and runs for ..."."""
    before, gap, after = parts.rest.partition(GAP)
    match = re.match(r"^.*,? and (?:then )?(?P<verb>[a-z]+)(?P<rest> .*|)$", before)
    if not match or parts.aux in _BE:
        return parts
    is_third = parts.aux == "does"
    verb = base_in_statement(match["verb"]) if is_third else match["verb"]
    if verb not in STATEMENT_VERBS:
        return parts
    return replace(parts, verb=verb, rest=f"{match['rest'].strip()} {gap}{after}".strip())


def command_questions(command: str) -> list[str]:
    """What a command acts on, asked for: "Unplug the yellow cable first" as "What should I ...".

    Args:
        command: in lower case, as the customer says it.
    """
    match = _OBJECT.match(_own(command))
    if not match or match["verb"] not in VERBS or match["verb"] in ("let", "make", "be"):
        return []
    rest = match["rest"]
    if _BORDER.search(rest) or not (rest or match["particle"]):
        return []
    return [f"What should I {match['verb']}{match['particle'] or ''}{rest}"]


def statement_questions(clause: str) -> list[str]:
    """What somebody takes or has, and what does something: "What goes back to the boathouse".

    Args:
        clause: as the customer says it.
    """
    parts = _statement(_own(" ".join(_expanded(clause).split())))
    if parts is None or _NEGATION.search(clause):
        return []
    is_object = bool(parts.verb in _TRANSITIVE and parts.rest) and not _NO_OBJECT.match(parts.rest)
    is_object &= not _NO_SUBJECT.match(parts.subject)
    if is_object and len(parts.rest.split()) <= _MAX_OBJECT_WORDS:
        return [f"What {parts.aux} {parts.subject} {parts.verb}"]
    if not _SUBJECT.match(parts.subject):
        return []
    predicate = f"{parts.verb} {parts.rest}".strip()
    if re.search(r"\b(?:me|you)\b", predicate):
        return []  # a person, perhaps
    predicate = without_values(predicate)
    is_long = len(parts.subject.split()) > _MAX_SUBJECT_WORDS or _BORDER.search(parts.rest)
    if is_long or len(predicate.split()) < _MIN_PREDICATE_WORDS or is_plural(parts.subject):
        return []
    predicate = f"{parts.verb} {parts.rest}".strip()
    if parts.aux in ("does", "do"):
        finite = clause[clause.find(parts.subject) + len(parts.subject) :].strip()
        return [f"What {_own(finite)}"]
    return [f"What {parts.aux} {predicate}"]


def _expanded(clause: str) -> str:
    """A clause without contractions."""
    for pattern, words in _CONTRACTIONS:
        clause = re.sub(pattern, words, clause, flags=re.IGNORECASE)
    return clause


def _command(clause: str) -> _Clause | None:
    verb, _, rest = clause.partition(" ")
    return None if _NEGATION.match(clause) else _Clause("I", "should", verb.lower(), rest)


def _statement(clause: str) -> _Clause | None:
    """The parts of a statement; None: they are not clear, or it denies something."""
    match = _PRONOUN_CLAUSE.match(clause)
    if match:
        return _with_pronoun(match)
    parsed = parse(f"{clause[:1].upper()}{clause[1:]}")
    if parsed is None:
        return _guessed(clause)
    subject = clause[:1] + parsed.subject[1:]
    if parsed.is_negated:
        subject = f"{subject} not"
    first, _, further = parsed.rest.partition(" ")
    if parsed.verb == "have" and is_participle(first):
        return _Clause(subject, "have" if parsed.is_plural else "has", first, further)
    return _Clause(subject, parsed.asking_aux, parsed.verb, parsed.rest)


def _with_pronoun(match: re.Match[str]) -> _Clause | None:
    subject, aux, rest = match["subject"], match["aux"] or "", match["rest"]
    subject = "I" if subject == "I" else subject.lower()
    adverb = match["adverb"] or ""
    if adverb == "never" or re.match(r"(?:not|never)\b", rest) or aux in ("cannot", "need not"):
        return None
    if aux:
        return _Clause(subject, aux, "", f"{adverb} {rest}".strip())
    verb, _, further = rest.partition(" ")
    if not re.fullmatch(r"[a-z]+", verb) or verb in ("do", "does", "did"):
        return None
    is_third = subject in ("it", "he", "she")
    if verb in ("have", "has") and is_participle(further.partition(" ")[0]):
        return _Clause(subject, verb, "", further)
    verb = (base_in_statement(verb) or _guessed_base(verb)) if is_third else verb
    aux = "does" if is_third else "do"
    return _Clause(subject, aux, f"{adverb} {verb}".strip(), further) if verb else None


_GUESSED = re.compile(
    r"^(?P<subject>(?:the|our|your|my|each|every|an?) (?:[\w'-]+ ){0,2}[\w'-]*[^s\W])"
    r" (?P<verb>[a-z]{2,}[^su\W]s) (?P<rest>(?:the|an?|your|our|my|its|at|in|on|from|to|for|with|by"
    rf"|until|after|before|every|up|down|out|off|back|only|again|{GAP}).*)$",
    re.IGNORECASE,
)
"""A verb that no list has, by where it stands: "The barrier lifts at noon"."""


def _guessed(clause: str) -> _Clause | None:
    match = _GUESSED.match(clause)
    words = re.findall(r"[a-z]+", match["rest"]) if match else []
    if not match or any(word in _BE or base_form(word) or word in VERBS for word in words):
        return None
    return _Clause(match["subject"], "does", _guessed_base(match["verb"]), match["rest"])


def _guessed_base(verb: str) -> str:
    """The base of a third person that no list has."""
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    if re.search(r"(?:ch|sh|ss|x|zz|o)es$", verb):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else ""


def _own(text: str) -> str:
    """What follows a gap, as far as its clause goes."""
    for cut in _NEXT_CLAUSE.finditer(text):
        verb = cut["verb"]
        if not verb or verb in STATEMENT_VERBS or base_in_statement(verb):
            return text[: cut.start()].strip()
    return text


def _openings(
    words: str, lead: str, *, is_last: bool, is_particle: bool
) -> Iterator[tuple[str, str]]:
    """What a question begins with, and what is left at its end: the preposition, or nothing."""
    words = words.strip()
    counted = words.removeprefix("how many ")
    if words == "what time" and lead in ("at", "from", ""):
        yield ("What time", "from" if lead == "from" else "")
        yield ("From when" if lead == "from" else "When", "")
    elif words == "what time":
        yield (f"{lead.capitalize()} what time", "")
        yield (f"{lead.capitalize()} when", "")
    elif lead == "for" and counted in _PERIODS:
        yield ("How long", "")
        yield (f"For {words}", "")
    elif lead and not words.startswith(("where", "when", "how often", "why", "how long")):
        if is_last or is_particle:
            yield (f"{words[0].upper()}{words[1:]}", lead)
        if not is_particle:
            yield (f"{lead.capitalize()} {words}", "")
    elif " what" in f" {words}" and words.partition(" ")[2] == "what":
        if is_last:
            yield ("What", words.partition(" ")[0])
        yield (f"{words[0].upper()}{words[1:]}", "")
    elif not lead:
        yield (f"{words[0].upper()}{words[1:]}", "")
