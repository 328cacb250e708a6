"""Statements in parts: subject, auxiliary, verb and the rest."""

import re
from dataclasses import dataclass, replace

from ftdist.library.synthesis.verb_forms import VERBS, is_plural, third_person

_MORE_VERBS = """
allow apply arrive assist bake belong book borrow bring camp carry catch close collect come cook
cool cover damage depart dim dissolve drop earn end expire find fish fit float fold get give glow
go hang heat hire hold hum keep leave lend lift lock love melt moor need offer open park pay pick
print reach reckon recognise record refund remember rent require rest return ring rise rotate run
sail seal send serve shine ship show sit slide smell sound spend stand start stay stick store supply
swim swing switch tilt turn undo untie use vibrate warm wear weigh welcome"""
STATEMENT_VERBS = VERBS | frozenset(_MORE_VERBS.split())
_AUX = frozenset(["is", "are", "can", "cannot", "must", "may", "should", "will", "was", "were"])
_HAVE = {"has": "have", "have": "have", "does": "do", "do": "do"}
_DETERMINERS_WORDS = """
the a an its their your my this that these those each every any no of for to"""
_DETERMINERS = frozenset(_DETERMINERS_WORDS.split())
_BORDERS_WORDS = """
that which who whose if when because although while until unless than as whether how"""
_BORDERS = frozenset(_BORDERS_WORDS.split())
_NO_SUBJECT = re.compile(
    r"^(?:there|this|that|these|those|it|they|he|she|we|you|i|here|what|if|when|after|before|while"
    r"|to|for|in|on|at|by|with|without|once|until|as|because|since|although|so|then|also|but|and|or"
    r"|another|both of|some|most|many|others?|not|nothing|everything|never|always|during|from"
    r"|please|note|see|such|instead|however|one of|only|even|all of)\b",
    re.IGNORECASE,
)
_NO_NOUNS = frozenset(["but", "we", "you", "they", "and", "or"])
"""With these no subject ends."""

_SECOND_AUX = re.compile(r",? (?:and|but) (?:can|must|may|should|will|is|are|has|have) .*$")
_MAX_SUBJECT_WORDS = 8


@dataclass(frozen=True, kw_only=True)
class Clause:
    """A statement in parts.

    Attributes:
        subject: as it stands.
        aux: "is", "must", ...; "" for a verb without one.
        verb: in its base form; "" after "is" and the like, where `rest` holds all that follows.
        rest: what follows.
        is_negated: whether it has "not", "never" or "no".
    """

    subject: str
    aux: str
    verb: str
    rest: str
    is_negated: bool = False

    @property
    def is_plural(self) -> bool:
        """Whether the subject is plural."""
        return _is_plural(self.subject)

    @property
    def asking_aux(self) -> str:
        """The auxiliary of a question."""
        if self.aux == "must" and self.is_negated:
            return "may"
        if self.aux:
            return {"cannot": "can"}.get(self.aux, self.aux)
        return "do" if self.is_plural else "does"

    @property
    def predicate(self) -> str:
        """What follows auxiliary and subject in a question, without a negation."""
        return f"{self.verb} {self.rest}".strip()

    @property
    def finite(self) -> str:
        """What follows the subject in a statement, without a negation."""
        if self.aux:
            return f"{self.asking_aux} {self.predicate}"
        verb = self.verb if self.is_plural else third_person(self.verb)
        return f"{verb} {self.rest}".strip()

    def without(self, text: str) -> "Clause":
        """The clause without a part of its rest."""
        return replace(self, rest=" ".join(self.rest.replace(text, " ", 1).split()))


def clauses_of(statement: str) -> list[Clause]:
    """The main clauses of a statement without its full stop; empty if a border is unclear."""
    if ": " in statement:
        return []
    statement = _SECOND_AUX.sub("", statement.partition("; ")[0])
    first, *others = re.split(r",? (?:and|but) (?=(?:an?|the|its) \w)", statement)
    halves = [first]
    for other in others:
        if parse(_upper(other)) and ", " in statement:
            halves.append(_upper(other))
        else:
            halves[-1] = statement[statement.index(halves[-1]) : statement.index(other)] + other
    found: list[Clause] = []
    for half in halves:
        clause = parse(half.rstrip(", "))
        if clause is None:
            return []
        first_part, and_, second = clause.rest.rpartition(" and ")
        other = parse(_upper(second)) if and_ and not _split_verbs(clause)[1:] else None
        if other and not re.search(r"\b(?:between|both)\b", first_part):
            found += [replace(clause, rest=first_part), other]
        else:
            found += _split_verbs(clause)
    return found


def parse(text: str) -> Clause | None:
    """The parts of a statement; None if the border of its subject is not clear."""
    words = text.split()
    if _NO_SUBJECT.match(text):
        return None
    for at in range(1, min(len(words) - 1, _MAX_SUBJECT_WORDS + 1)):
        word, before = words[at], words[at - 1].lower()
        is_border = word in _BORDERS or before in _NO_NOUNS
        if is_border or word.endswith((",", ";", ":")) or before.endswith(","):
            return None
        subject, rest = " ".join(words[:at]), words[at + 1 :]
        if word in _AUX:
            return _with_aux(subject, word, rest)
        if before in _DETERMINERS:
            continue
        if word in ("has", "have", "does", "do"):
            return _with_verb(subject, _HAVE[word], rest)
        base = base_in_statement(word)
        following = words[at + 1].lower()
        is_verb_next = following in _AUX or (
            following in STATEMENT_VERBS and following not in ("up", "place")
        )
        if is_verb_next:
            continue
        if base and base != word and not _is_plural(subject):
            return _with_verb(subject, base, rest)
        if word in STATEMENT_VERBS and _is_plural(subject):
            return _with_verb(subject, word, rest)
    return None


def _with_aux(subject: str, aux: str, rest: list[str]) -> Clause:
    is_negated = aux == "cannot" or (bool(rest) and rest[0] in ("not", "never"))
    words = rest[1:] if rest and rest[0] in ("not", "never") else rest
    return Clause(
        subject=subject, aux=aux, verb="", rest=" ".join(words), is_negated=is_negated
    )  # fmt: skip


def _with_verb(subject: str, verb: str, rest: list[str]) -> Clause | None:
    if verb == "do" and rest[:1] == ["not"]:
        return Clause(
            subject=subject, aux="", verb=rest[1] if len(rest) > 1 else "",
            rest=" ".join(rest[2:]), is_negated=True,
        )  # fmt: skip
    if subject.split()[-1] in ("never", "always", "also", "only"):
        adverb = subject.split()[-1]
        bare = " ".join(subject.split()[:-1])
        clause = _with_verb(bare, verb, rest) if bare else None
        return clause and replace(clause, is_negated=adverb == "never")
    if rest[:1] == ["no"]:
        return Clause(
            subject=subject, aux="", verb=verb, rest=" ".join(["any", *rest[1:]]), is_negated=True
        )  # fmt: skip
    return Clause(subject=subject, aux="", verb=verb, rest=" ".join(rest))


def _split_verbs(clause: Clause) -> list[Clause]:
    """From "Prints from a phone and needs no ink" as two clauses of one subject."""
    if clause.aux not in ("", "is") or clause.is_negated:
        return [clause]
    for match in re.finditer(r",? and (\w+) (?=\S)", clause.rest):
        base = match[1] if clause.is_plural else base_in_statement(match[1])
        is_form = match[1] in STATEMENT_VERBS or match[1] == "have"
        if clause.is_plural != is_form or not base:
            continue
        rest = clause.rest[match.end() :].split()
        second = _with_verb(clause.subject, base, rest)
        first = replace(clause, rest=clause.rest[: match.start()])
        return [first, *([second] if second else [])]
    return [clause]


def base_in_statement(word: str) -> str:
    """The base form of a verb in the third person; "" for another word."""
    if word in ("has", "does", "goes"):
        return {"has": "have", "does": "do", "goes": "go"}[word]
    endings = ((word[:-3] + "y", "ies"), (word[:-2], "es"), (word[:-1], "s"))
    return next(
        (base for base, end in endings if word.endswith(end) and base in STATEMENT_VERBS), ""
    )


def _is_plural(subject: str) -> bool:
    is_counted = re.match(r"(?:two|three|four|five|six|both|all|\d+)\b", subject, re.IGNORECASE)
    return is_plural(subject) or bool(is_counted and not re.match("1 ", subject))


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
