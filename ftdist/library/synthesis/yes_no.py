"""Questions about features that a thing has or lacks: cells that say yes or no."""

import re

from ftdist.library.synthesis.verb_forms import is_plural

_YES = frozenset({"yes", "y", "true", "\u2713", "\u2714", "\u2705", "\u2611", "\u25cf"})
_NO = frozenset({"no", "false", "none", "\u2717", "\u2718", "\u274c", "\u2716"})
_ADJECTIVE = re.compile(
    r"(?:proof|able|ible|resistant|\bsafe|\bfree|certified|compatible|\bready|less|tight|powered|"
    r"controlled|friendly|in stock|included|vegan|vegetarian|organic|insulated|heated|lit|foldable|"
    r"wireless|cordless|rechargeable|tested|approved|sealed|padded|lined|coated|automatic|digital|"
    r"open source|evergreen|perennial|self-\w+ing|wheelchair accessible)$|"
    r"^(?:suitable|available|made|approved|ready|safe)\b|"
    r"^(?:accepted|allowed|permitted|required|needed|necessary|paid|taxable|recommended|possible"
    r"|optional|compulsory|mandatory|collected|recycled|covered|insured|supported|vaccinated)$",
    re.IGNORECASE,
)
_NOUNS = re.compile(r"(?:\b(?:cable|table|variable|vegetable)|wireless|multiple)$", re.IGNORECASE)
_VERB = re.compile(
    r"^(?P<verb>works|supports|includes|fits|comes|requires|needs|has|allows|contains|runs|uses|"
    r"folds|floats|charges|connects|stores|offers|turns|switches)\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"^(?P<noun>[\w-][\w -]*?) (?P<done>needed|required|necessary|allowed|permitted|included"
    r"|possible|accepted|provided|compulsory|available|supplied|recommended)$",
    re.IGNORECASE,
)
_OF_AN_OFFER = ("included", "available", "provided", "supplied", "possible")
_MODAL = re.compile(r"^(?P<modal>can|may|must|should) (?P<rest>.+)$", re.IGNORECASE)
_UNCOUNTABLE = re.compile(
    r"^(?:wi-?fi|bluetooth|breakfast|lunch|dinner|parking|insurance|[A-Z]{2,4}|[A-Z]-\w+)$|"
    r"(?:support|storage|shipping|delivery|access|lighting|software|hardware|heating|cooling|"
    r"conditioning|protection|navigation|compatibility|assistance|training|hosting|billing|backup|"
    r"steering|suspension|cleaning|charging|mapping|tracking|monitoring|reporting|memory|leather|"
    r"bluetooth|wi-?fi|internet|power|insurance|encryption|authentication|integration|washing|sign-on|history|storage)$",
    re.IGNORECASE,
)
_ASKED_FOR = re.compile(
    r"\b(?:receipts?|invoices?|approval|permits?|permission|registration|prescription|signature"
    r"|certificate|visa|proof|membership|booking|reservation|appointment)$",
    re.IGNORECASE,
)
"""What is required of a customer, and no part of a thing."""

_AN = re.compile(r"^(?:[aeio]|u(?![sn]i|se|sb|uid)|ho(?:ur|nest))", re.IGNORECASE)
_AN_LETTERS = re.compile(r"^[AEFHILMNORSX][A-Z0-9]+\b")

_QUESTIONS_NOUN = (
    "Does {x} have {an}?",
    "Is there {an} on {x}?",
    "I am looking for something with {an}. Does {x} have that?",
    "Does {x} come with {an}?",
    "{n} {a}?",
    "With {x}, do I get {an}?",
    "Can you tell me whether {x} has {an}?",
    "{X}: {a}, yes or no?",
)
_QUESTIONS_ADJECTIVE = (
    "Is {x} {a}?",
    "Can you tell me whether {x} is {a}?",
    "I need something {a}. Is {x} like that?",
    "{n} {a}?",
    "Is it true that {x} is {a}?",
    "{X}: {a} or not?",
    "Do you know if {x} is {a}?",
)
_QUESTIONS_VERB = (
    "Does {x} {base}?",
    "Can you tell me whether {x} {a}?",
    "Is it true that {x} {a}?",
    "{n} {a}?",
    "{X}: {a}, yes or no?",
    "Do you know if {x} {a}?",
    "I need something that {a}. Is {x} like that?",
)
_QUESTIONS_ANY = ("{X}: {a}, yes or no?", "{n} {a}?", "For {x}, is it yes or no for {a}?")
_ALLERGEN = re.compile(
    r"gluten|wheat|milk|lactose|eggs?|nuts?|peanuts?|soya?|sesame|mustard|celery|lupin|fish"
    r"|crustaceans?|molluscs?|sulphites?|sulfites?|alcohol|pork|sugar|palm oil|caffeine",
    re.IGNORECASE,
)
_QUESTIONS_CONTAINS = (
    "Does {x} contain {a}?",
    "Is there any {a} in {x}?",
    "Can you tell me whether {x} contain{s} {a}?",
    "I must not eat {a}. Is there any in {x}?",
    "{n} {a}?",
    "Is {x} made with {a}?",
    "I have to avoid {a}. Can I have {x}?",
    "Do you know if there is {a} in {x}?",
)
_QUESTIONS_DONE = (
    "{Be} {an} {done} {prep} {x}?",
    "{X}: {be} {an} {done}?",
    "Can you tell me whether {an} {be} {done} {prep} {x}?",
    "{Prep} {x}, {be} {an} {done}?",
    "{n} {a}?",
    "Do you know if {an} {be} {done} {prep} {x}?",
    "I would like to know whether {an} {be} {done} {prep} {x}.",
)
_QUESTIONS_MODAL = (
    "{Modal} {x} {rest}?",
    "Can you tell me whether {x} {a}?",
    "Is it true that {x} {a}?",
    "{n} {a}?",
    "Do you know if {x} {a}?",
)


def yes_or_no(value: str) -> bool | None:
    """Whether a cell says yes or no; None: neither."""
    first = re.split(r"[,;(]\s*|\s+[\u2013-]\s+", value.strip(), maxsplit=1)[0].strip().casefold()
    return True if first in _YES else False if first in _NO else None


def is_state(attribute: str) -> bool:
    """Whether a heading says what something is or does: "Vegan", "Booking needed", "Fits 5"."""
    return any(pattern.search(attribute) for pattern in (_ADJECTIVE, _DONE, _VERB, _MODAL))


def yes_no_forms(attribute: str, *, is_yes: bool) -> tuple[tuple[str, ...], str, dict[str, str]]:
    """Wordings of the question, the answer, and what fills their places beside {x}, {X} and {n}.

    Args:
        attribute: as it stands within a sentence, such as "timer" or "dishwasher safe".
        is_yes: whether the thing has it.
    """
    if match := _MODAL.match(attribute):
        modal, rest = match["modal"].lower(), match["rest"]
        predicate = f"{modal} {'' if is_yes else 'not '}".replace("can not", "cannot")
        fill = {"a": attribute, "Modal": modal.capitalize(), "rest": rest}
        return _QUESTIONS_MODAL, f"{_lead(is_yes=is_yes)}, {{x}} {predicate}{{rest}}.", fill
    if match := _VERB.match(attribute):
        verb, rest = match["verb"].lower(), match["rest"]
        predicate = verb if is_yes else f"does not {_base_form(verb)}"
        fill = {"a": attribute, "base": _base_form(verb) + rest, "rest": rest}
        return _QUESTIONS_VERB, f"{_lead(is_yes=is_yes)}, {{x}} {predicate}{{rest}}.", fill
    if _ALLERGEN.fullmatch(attribute):
        contains = "{x} contain{s}" if is_yes else "{x} {do} not contain"
        answer = f"{_lead(is_yes=is_yes)}, {contains} {{a}}."
        return _QUESTIONS_CONTAINS, answer, {"a": attribute}
    if match := _DONE.match(attribute):
        an, done = with_indefinite_article(match["noun"]), match["done"].lower()
        be = "are" if is_plural(match["noun"]) else "is"
        prep = "with" if done in _OF_AN_OFFER else "for"
        fill = {"a": attribute, "an": an, "done": done, "be": be, "Be": be.capitalize(),
                "prep": prep, "Prep": prep.capitalize()}  # fmt: skip
        verb = be if is_yes else f"{be} not"
        return (
            _QUESTIONS_DONE,
            f"{_lead(is_yes=is_yes)}, {{an}} {verb} {{done}} {{prep}} {{x}}.",
            fill,
        )
    if _ADJECTIVE.search(attribute) and not _NOUNS.search(attribute):
        predicate = "is" if is_yes else "is not"
        return (
            _QUESTIONS_ADJECTIVE,
            f"{_lead(is_yes=is_yes)}, {{x}} {predicate} {{a}}.",
            {"a": attribute},
        )
    if _ASKED_FOR.search(attribute):
        return _QUESTIONS_ANY, f"{{X}}, {{a}}: {'yes' if is_yes else 'no'}.", {"a": attribute}
    predicate = "has" if is_yes else "does not have"
    fill = {"a": attribute, "an": with_indefinite_article(attribute)}
    return _QUESTIONS_NOUN, f"{_lead(is_yes=is_yes)}, {{x}} {predicate} {{an}}.", fill


def with_indefinite_article(noun: str, *, is_counted: bool = False) -> str:
    """A noun phrase with "a" or "an" where English has one: "a timer", "Wi-Fi", "wheels".

    Args:
        noun: in the singular or the plural.
        is_counted: whether "power" and the like have one too, as in "a power of 5 W".
    """
    head = re.split(r"\s+(?:for|with|of|in|on|to|from|per|at)\s+", noun)[0]
    is_plural = head.endswith("s") and not head.endswith(("ss", "us", "is", "lens"))
    is_mass = not is_counted and _UNCOUNTABLE.search(head)
    if is_plural or is_mass or re.match(r"(?:an?|the|\d+|two|three)\s", noun):
        return noun
    is_an = _AN_LETTERS.match(noun) if noun[:2].isupper() else _AN.match(noun)
    return f"{'an' if is_an else 'a'} {noun}"


def _lead(*, is_yes: bool) -> str:
    return "Yes" if is_yes else "No"


def _base_form(verb: str) -> str:
    return {"has": "have", "switches": "switch"}.get(verb, verb.removesuffix("s"))
