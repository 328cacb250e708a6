"""Clauses in the parts that a question puts in another order: auxiliary, subject, verb, rest."""

import re
from dataclasses import dataclass, replace

from ftdist.library.synthesis.clauses import STATEMENT_VERBS, base_in_statement, parse
from ftdist.library.synthesis.verb_forms import VERBS, base_form, is_participle, third_person

GAP = "\ue000"
"""Stands in a clause for the part that is asked for."""

BE = frozenset(["is", "are", "was", "were", "am"])

_AUXILIARIES = "is|are|was|were|am|can|must|may|should|will|would|could|might|need not"
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
    (r"\b(?:can['\u2019]t|cannot)\b", "can not"),
    (r"\bwon['\u2019]t\b", "will not"),
    (r"(?<=\w)n['\u2019]t\b", " not"),
)
_GUESSED = re.compile(
    r"^(?P<subject>(?:the|our|your|my|each|every|an?) (?:[\w'-]+ ){0,2}[\w'-]*[^s\W])"
    r" (?P<verb>[a-z]{2,}[^su\W]s) (?P<rest>(?:the|an?|your|our|my|its|at|in|on|from|to|for|with|by"
    rf"|until|after|before|every|up|down|out|off|back|only|again|{GAP}).*)$",
    re.IGNORECASE,
)
"""A verb that no list has, by where it stands: "The barrier lifts at noon"."""

_SECOND_VERB = re.compile(r"^.*,? and (?:then )?(?P<verb>[a-z]+)(?P<rest> .*|)$")
_NEXT_CLAUSE = re.compile(
    r",? (?:and|but|or|so) (?:then )?(?:you|we|they|it|I|he|she|the|your|our|my|an?|there|please"
    r"|not|never|also|only|is|are|can|must|may|will|should|has|have|\w+n['\u2019]t"
    r"|(?P<verb>[a-z]+)(?= ))|,? (?:which|where|who|whose|whereas|so that|because|since) "
    r"|[;:] | \u2013 |, (?=[a-z])"
)


@dataclass(frozen=True)
class QuestionClause:
    """A clause in the parts of a question.

    Attributes:
        subject: with "not" behind it, where the clause denies something.
        aux: the auxiliary, "do" and "does" where it has none.
        verb: in its base form; "" after "is" and the like.
        rest: what follows.
    """

    subject: str
    aux: str
    verb: str
    rest: str

    @property
    def is_negated(self) -> bool:
        """Whether the clause denies something."""
        return self.subject.endswith(" not")

    def without_only(self) -> "QuestionClause":
        """The clause without "only" before its verb."""
        return replace(self, rest=self.rest.removeprefix("only "))

    def last_verb(self) -> "QuestionClause":
        """The clause with the last of several verbs before its gap: "... and runs for ..."."""
        before, gap, after = self.rest.partition(GAP)
        match = _SECOND_VERB.match(before)
        if not match or self.aux in BE:
            return self
        is_third = self.aux == "does"
        verb = base_in_statement(match["verb"]) if is_third else match["verb"]
        if verb not in STATEMENT_VERBS:
            return self
        return replace(self, verb=verb, rest=f"{match['rest'].strip()} {gap}{after}".strip())


@dataclass(frozen=True)
class WhQuestion:
    """A question in its parts, as in "How many degrees" "does" "the steam" "have" "at most".

    Attributes:
        opening: the words that ask, with a capital.
        aux: the auxiliary.
        subject: with "not" behind it, where something is denied.
        verb: in its base form; "" after "is" and the like.
        rest: what follows.
    """

    opening: str
    aux: str
    subject: str
    verb: str
    rest: str

    @property
    def direct(self) -> str:
        """The question without its mark."""
        parts = (self.opening, self.aux, self.subject, self.verb, self.rest)
        return " ".join(" ".join(parts).split())

    @property
    def embedded(self) -> str:
        """The question within another sentence: "how many degrees the steam has at most"."""
        subject, is_denied = self.subject.removesuffix(" not"), self.subject.endswith(" not")
        opening = f"{self.opening[0].lower()}{self.opening[1:]}"
        if self.aux in ("do", "does") and not is_denied:
            verb = third_person(self.verb) if self.aux == "does" else self.verb
            parts = (opening, subject, verb, self.rest)
        else:
            denied = f"{self.aux}{' not' if is_denied else ''}"
            parts = (opening, subject, f"{denied} {self.verb}", self.rest)
        return " ".join(" ".join(parts).split())


def parse_command(text: str) -> QuestionClause:
    """The parts of a command, as one asks for them: "should", "I", its verb."""
    verb, _, rest = text.partition(" ")
    return QuestionClause("I", "should", verb.lower(), rest)


def parse_statement(text: str) -> QuestionClause | None:
    """The parts of a statement, which may begin in lower case; None: they are not clear."""
    text = without_contractions(text)
    match = _PRONOUN_CLAUSE.match(text)
    if match:
        return _with_pronoun(match)
    parsed = parse(f"{text[:1].upper()}{text[1:]}")
    if parsed is None:
        return _guessed(text)
    subject = f"{text[:1]}{parsed.subject[1:]}{' not' if parsed.is_negated else ''}"
    first, _, further = parsed.rest.partition(" ")
    if parsed.verb == "have" and is_participle(first):
        return QuestionClause(subject, "have" if parsed.is_plural else "has", first, further)
    return QuestionClause(subject, parsed.asking_aux, parsed.verb, parsed.rest)


def without_contractions(text: str) -> str:
    """A text with "is not" for "isn't" and the like."""
    for pattern, words in _CONTRACTIONS:
        text = re.sub(pattern, words, text, flags=re.IGNORECASE)
    return text


def first_clause(text: str) -> str:
    """A text as far as its first clause goes."""
    for cut in _NEXT_CLAUSE.finditer(text):
        verb = cut["verb"]
        if not verb or verb in STATEMENT_VERBS or base_in_statement(verb):
            return text[: cut.start()].strip()
    return text


def _with_pronoun(match: re.Match[str]) -> QuestionClause | None:
    subject, aux, rest = match["subject"], match["aux"] or "", match["rest"]
    subject = "I" if subject == "I" else subject.lower()
    adverb = match["adverb"] or ""
    if adverb == "never" or re.match(r"(?:not|never)\b", rest) or aux == "need not":
        return None
    if aux:
        return QuestionClause(subject, aux, "", f"{adverb} {rest}".strip())
    verb, _, further = rest.partition(" ")
    if not re.fullmatch(r"[a-z]+", verb) or verb in ("do", "does", "did"):
        return None
    if verb in ("have", "has") and is_participle(further.partition(" ")[0]):
        return QuestionClause(subject, verb, "", further)
    is_third = subject in ("it", "he", "she")
    verb = (base_in_statement(verb) or _guessed_base(verb)) if is_third else verb
    aux = "does" if is_third else "do"
    return QuestionClause(subject, aux, f"{adverb} {verb}".strip(), further) if verb else None


def _guessed(text: str) -> QuestionClause | None:
    match = _GUESSED.match(text)
    words = re.findall(r"[a-z]+", match["rest"]) if match else []
    if not match or any(word in BE or base_form(word) or word in VERBS for word in words):
        return None
    verb = _guessed_base(match["verb"])
    return QuestionClause(match["subject"], "does", verb, match["rest"])


def _guessed_base(verb: str) -> str:
    """The base of a third person that no list has."""
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    if re.search(r"(?:ch|sh|ss|x|zz|o)es$", verb):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else ""
