"""Questions about a named thing in several wordings, from the parts of a sentence.

A part holds "{t}" where the thing stands and "{p:lid}" for a part of it, which becomes "the lid of
the Sable 17", "the Sable 17's lid", or "the lid" where the thing is named elsewhere.
"""

import re
from dataclasses import dataclass

from ftdist.library.synthesis.naming import MARK, marked_part, other_name, preposition, rendered
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.synonyms import with_synonym
from ftdist.library.synthesis.things import Thing

MAX_WORDINGS = 10
"""Of one question, beside the question itself."""

_OTHER_OPENINGS = {
    "How long": ("For how long", "For how much time"),
    "How often": ("How frequently", "At what intervals"),
    "When": ("At what point", "When exactly"),
    "Where": ("Where exactly", "In which place"),
    "How": ("In what way", "How exactly"),
    "How far": ("At what distance",),
    "Why": ("For what reason",),
}
_STOP_WORDS = """
a an the i my me is are am be do does did should must can could may will would it its they them
this that to of with on in at for from by and or which what who have has how long often when
where far many much why so some any whether if happens"""
_STOPS = frozenset(_STOP_WORDS.split())
_POLITE = re.compile(r"^(?:I have a|Can you answer|Please help|Here is what|A customer)")
_HAS_PREPOSITION = re.compile(r"\b(?:for|from|with)\b")
_HOUR = re.compile(r"(?<=\d )([ap]\.m)(?![.\w])")
_AFTER_HOUR = re.compile(r"\b[ap]\.m\.$")
_QUERY_ENDS = (
    "how long",
    "how often",
    "how many",
    "how much",
    "how far",
    "how high",
    "how wide",
    "how deep",
    "how tall",
    "how thick",
    "how heavy",
    "how old",
    "when",
    "where",
    "why",
)


@dataclass(frozen=True, kw_only=True)
class QuestionDraft:
    """A question in parts, before a thing or a part of it is named in it.

    Attributes:
        opening: "How long", "When", "What"; "" if the answer is yes or no.
        aux: "does", "is", "should"; "" where the opening is the subject, as in "What stops it".
        subject: without its marks as it stands within a sentence; "I" for what one should do.
        predicate: after auxiliary and subject: "keep the water hot".
        finite: after the subject in a statement: "keeps the water hot".
        others: whole other wordings, with the same marks.
        value: the part of the sentence that says it.
    """

    opening: str
    aux: str
    subject: str
    predicate: str
    finite: str
    others: tuple[str, ...] = ()
    value: str = ""

    @property
    def direct(self) -> str:
        """The question without its mark."""
        return _first_upper(self._asking(self.opening))

    def _asking(self, opening: str) -> str:
        return _spaced(opening, self.aux, self.subject, self.predicate)

    def wordings(self, thing: Thing | None) -> list[str]:
        """The question and its other wordings; with a thing, every one of them names it."""
        if thing is None:
            return self._unnamed()
        is_marked = bool(MARK.search(self.direct))
        found = self._with_marks(thing) if is_marked else self._beside_name(thing)
        varied = [
            with_synonym(text, key=text) if at % 3 == 2 else text for at, text in enumerate(found)
        ]
        unique = dict.fromkeys(map(_sentence_or_keywords, varied))
        return [text for text in unique if thing.is_named_in(text)][: MAX_WORDINGS + 1]

    def _unnamed(self) -> list[str]:
        """Wordings of a question whose subject needs no name of a thing."""
        tell, know, like = self._embedded()
        others = [_ended(each) for each in (*self.others, *self._openings())]
        ordered = [
            f"{self.direct}?",
            self.keywords(None),
            tell,
            *others[:1],
            like,
            *others[1:],
            know,
        ]
        return list(dict.fromkeys(map(_sentence_or_keywords, ordered)))[: MAX_WORDINGS + 1]

    def _with_marks(self, thing: Thing) -> list[str]:
        """Wordings where marks show where the name stands."""
        tell, know, like = self._embedded()
        others = [_ended(each) for each in (*self.others, *self._openings())]
        bare = _first_lower(rendered(self.direct, thing, -1))
        return [
            rendered(f"{self.direct}?", thing, 0),
            self.keywords(thing),
            *(rendered(each, thing, 1) for each in others[:1]),
            rendered(tell, thing, 1),
            f"{thing.bare_names[0]}: {bare}?",
            *(rendered(each, thing, 0) for each in others[1:2]),
            rendered(like, thing, 0),
            *(rendered(each, thing, 1) for each in others[2:]),
            f"A question about {other_name(thing)}: {bare}?",
            rendered(know, thing, 0),
        ]

    def _beside_name(self, thing: Thing) -> list[str]:
        """Wordings that name the thing before or behind the question."""
        lead, x, direct = preposition(thing), thing.names[0], self.direct
        asks = _first_lower(direct)
        others = [_first_lower(each) for each in (*self.others, *self._openings())]
        is_mine = self.subject == "I" and not _HAS_PREPOSITION.search(direct)
        last = (
            f"{lead.capitalize()} {other_name(thing)}, {others[0]}?"
            if others
            else f"I have a question about {x}. {direct}?"
        )
        return [
            f"{direct} {lead} {x}?" if is_mine else f"{lead.capitalize()} {x}, {asks}?",
            self.keywords(thing),
            *(f"{_first_upper(x)}: {each}?" for each in others[:2]),
            f"{thing.bare_names[0]}: {asks}?",
            f"A question about {x}: {asks}?",
            last,
            f"{self._embedded()[2][:-1]} {lead} {x}.",
        ]

    def _embedded(self) -> list[str]:
        """Three sentences that ask within another one."""
        opening = _first_lower(self.opening) or "whether"
        clause = _spaced(opening, self.subject, self.finite)
        leads = ("Can you tell me {}?", "Do you know {}?", "I would like to know {}.")
        return [lead.format(clause).replace("..", ".") for lead in leads]

    def _openings(self) -> list[str]:
        others = _OTHER_OPENINGS.get(self.opening, ())
        return [self._asking(other) for other in others]

    def keywords(self, thing: Thing | None) -> str:
        """The question as one types it into a search box: "sable 17 lid come off cleaning"."""
        text = re.sub(r"\{p:([^{}]*)\}", r"\1", f"{self.subject} {self.predicate}")
        text = text.replace("{t}", " ")
        for name in thing.names if thing else ():
            text = re.sub(re.escape(name), " ", text, flags=re.IGNORECASE)
        opening = self.opening.lower()
        query_end = opening if opening.startswith(_QUERY_ENDS) else ""
        if opening.startswith("what "):
            query_end = opening.removeprefix("what ")
        words = [re.sub(r"['\u2019]s$", "", word.strip(",;:.")) for word in text.split()]
        words = [word for word in words if word and word.lower() not in _STOPS]
        if opening == "what" and thing is None:
            words = ["what", *words]
        if not words and not query_end:
            query_end = "what is it"
        return _spaced(thing.bare_names[0].lower() if thing else "", *words, query_end)


def worded(question: str, thing: Thing) -> list[str]:
    """A question without its mark that a rule made, and other wordings; all name the thing."""
    marks = question if thing.is_named_in(question) else marked_part(question, thing)
    part = MARK.search(marks)
    if marks == question:
        named = question if thing.is_named_in(question) else _beside(question, thing)
        forms = [
            named,
            *([] if named.endswith(question[1:]) and named != question else _by_rule(named)),
        ]
    elif part and part[0] == "{t}":
        named = rendered(marks, thing, 0)
        forms = [named, *_by_rule(named)]
    else:
        noun = f"the {part[0][3:-1]}" if part else ""
        forms = [rendered(marks, thing, 0)]
        for at, form in enumerate(_by_rule(question)):
            if re.search(rf"\b{noun}\b", form, re.IGNORECASE):
                mark = re.sub(
                    rf"\b{noun}\b", part[0] if part else "", form, count=1, flags=re.IGNORECASE
                )
                forms.append(_first_upper(rendered(mark, thing, at % 2)))
    core = question if not thing.is_named_in(question) else ""
    x, alt = thing.names[0], other_name(thing)
    if core:
        forms += [
            f"{thing.bare_names[0]}: {_first_lower(core)}",
            f"A question about {alt}: {_first_lower(core)}",
            f"{alt[:1].upper()}{alt[1:]}: {_first_lower(core)}",
        ]
    forms += [f"I have a question about {x}. {core or forms[0]}"]
    opening = re.match(r"(?:How \w+|When|Where|Why)\b", question)
    keywords = QuestionDraft(
        opening=opening[0] if opening else "", aux="", finite="", subject="",
        predicate=question.removeprefix(opening[0]) if opening else question,
    ).keywords(thing)  # fmt: skip
    first, *others = (text if text.endswith((".", "?")) else f"{text}?" for text in forms)
    return list(dict.fromkeys([first, keywords, *others]))[: MAX_WORDINGS + 1]


def _by_rule(question: str) -> list[str]:
    forms = paraphrases(f"{question}?", count=8, seed=0)[1:]
    return [text for text in forms if text.endswith(("?", ".")) and not _POLITE.match(text)]


def _beside(question: str, thing: Thing) -> str:
    """A question with the thing's name at its end, or before it where it has its own subject."""
    where = preposition(thing)
    if not re.search(r"\bI\b", question):
        return f"{_first_upper(where)} {thing.names[0]}, {_first_lower(question)}"
    if _HAS_PREPOSITION.search(question):
        return f"For {thing.names[0]}, {_first_lower(question)}"
    return f"{question} {'on' if where == 'with' else where} {thing.names[0]}"


def _spaced(*parts: str) -> str:
    return " ".join(" ".join(filter(None, parts)).split())


def _ended(text: str) -> str:
    is_ended = text.endswith("?") or (text.endswith(".") and not _AFTER_HOUR.search(text))
    return text if is_ended else f"{text}?"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence_or_keywords(text: str) -> str:
    text = _HOUR.sub(r"\1.", text)
    return _first_upper(text) if text.endswith(("?", ".")) else text


def _first_lower(text: str) -> str:
    first = text.partition(" ")[0]
    return text[:1].lower() + text[1:] if first[1:] == first[1:].lower() and first != "I" else text
