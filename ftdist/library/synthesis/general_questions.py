"""Questions about an attribute that suit any: by its name, its value and what it measures."""

import re
from collections.abc import Sequence

from ftdist.library.synthesis.verb_forms import verb_of

GENERAL = (
    "What is the {a} of {x}?",
    "{n} {a}",
    "What {a} does {x} have?",
    "I need to know the {a} of {x}.",
    "What is the {a} for {x}?",
    "I have a question about {x}. What is the {a}?",
    "Could you tell me the {a} of {x}?",
    "{a} of {n}?",
    "Nobody could tell me the {a} of {x}. Can you?",
    "Do you know the {a} of {x}?",
    "Please look up the {a} of {x} for me.",
    "{n}: {a}?",
)
WITHOUT_A_NOUN = ("{n} {a}?", "{X}: {a} what?", "{n} {a}", "About {x}: {a}?", "{a}: {n}?")
WITHOUT_A_THING = (
    "What is the {a}?",
    "Could you tell me the {a}?",
    "{a}",
    "I need to know the {a}.",
    "Do you know the {a}?",
    "Nobody could tell me the {a}. Can you?",
)
COUNT = (
    "How many {a} does {x} have?",
    "What is the number of {a} of {x}?",
    "{n} how many {a}",
    "How many {a} are there with {x}?",
    "I need to know how many {a} {x} has.",
    "Could you tell me how many {a} {x} has?",
    "number of {a} {n}",
    "How many {a} do I get with {x}?",
    "Do you know how many {a} {x} has?",
)
IN_ANOTHER_LANGUAGE = (
    "{n}: {A}?",
    "{A} {n}?",
    "{n} {A}",
    "{A}, {n}?",
    "{n}, {A}?",
    "{A} \u2013 {n}?",
)
"""Forms without grammar."""

_WITH_WORDS = (
    "What is the {a} of {x}?",
    "{n} {a}",
    "I need to know the {a} of {x}.",
    "Could you tell me the {a} of {x}?",
    "What is the {a} for {x}?",
    "{a} of {n}?",
)
_OF_PART = {
    "length": (
        "How long is the {p} of {x}?",
        "How many {units} long is the {p} of {x}?",
        "I need to know how long the {p} of {x} is.",
    ),
    "width": (
        "How wide is the {p} of {x}?",
        "How many {units} wide is the {p} of {x}?",
        "I need to know how wide the {p} of {x} is.",
    ),
    "height": (
        "How high is the {p} of {x}?",
        "How many {units} high is the {p} of {x}?",
        "I need to know how high the {p} of {x} is.",
    ),
    "depth": (
        "How deep is the {p} of {x}?",
        "How many {units} deep is the {p} of {x}?",
        "I need to know how deep the {p} of {x} is.",
    ),
    "diameter": (
        "How wide across is the {p} of {x}?",
        "How many {units} is the {p} of {x} across?",
        "I need a new {p} for {x}. Which diameter?",
    ),
    "thickness": (
        "How thick is the {p} of {x}?",
        "How many {units} thick is the {p} of {x}?",
        "I need to know how thick the {p} of {x} is.",
    ),
    "weight": (
        "How heavy is the {p} of {x}?",
        "How much does the {p} of {x} weigh?",
        "How many {units} does the {p} of {x} weigh?",
    ),
    "capacity": (
        "How much does the {p} of {x} hold?",
        "How much fits into the {p} of {x}?",
        "How many {units} go into the {p} of {x}?",
    ),
    "size": (
        "How big is the {p} of {x}?",
        "What size is the {p} of {x}?",
        "I need a new {p} for {x}. Which size?",
    ),
    "power": (
        "How powerful is the {p} of {x}?",
        "How many {units} does the {p} of {x} have?",
    ),
    "voltage": (
        "How many volts does the {p} of {x} have?",
        "I need a new {p} for {x}. Which voltage?",
    ),
    "material": (
        "What is the {p} of {x} made of?",
        "Which material is the {p} of {x}?",
        "From what is the {p} of {x} made?",
    ),
    "colour": (
        "What colour is the {p} of {x}?",
        "What color is the {p} of {x}?",
        "In which colour does the {p} of {x} come?",
    ),
    "type": (
        "What kind of {p} does {x} have?",
        "What type of {p} is on {x}?",
        "I need a new {p} for {x}. Which type?",
    ),
}
_OF_ACTION = {
    "time": ("How long does {x} take to {do}?", "How many {units} does {x} take to {do}?"),
    "speed": ("How fast does {x} {do}?", "How quickly does {x} {do}?"),
    "rate": ("How fast does {x} {do}?", "How quickly does {x} {do}?"),
    "temperature": ("At what temperature does {x} {do}?",),
    "pressure": ("At what pressure does {x} {do}?", "How many {units} does {x} {do} at?"),
}
"""What is asked for the "grinding speed" or the "cooling-down time"."""

_SAME_MEASURE = {"color": "colour", "volume": "capacity", "kind": "type", "wattage": "power"}
_PART_WORDS = """
arm axle bag barrel basin basket battery bed bench blade board boiler boot bottle bowl box brush
bucket burner burr cabinet cable cage carafe case chain chair chamber chassis coil collar
compartment container cord cover cup cushion cylinder deck desk disc display door drawer drill
drum engine fan filter foot frame fridge gasket grate grill handle handlebar hatch heater heel
hook hopper hose hull jar jug keel kettle keyboard ladder lamp leg lens lever lid mast mat
mattress motor mug nozzle oven panel pedal pillow pipe plate platform pocket pole pool
portafilter pot propeller pump rack reel roller roof rope rotor rudder saddle sail screen seat
shaft shelf shell sleeve sole spout stand stem strap table tank tip tower tray trailer tube tyre
tire valve vat wand wheel window wire"""
_PARTS = frozenset(_PART_WORDS.split())
_NO_PART = re.compile(r"^(?:max|min|total|overall|inner|outer|average|usable|net|gross)\b")
_PERSON = re.compile(
    r"\b(?:chef|manager|coach|owner|head|director|doctor|officer|leader|host|president|chair|"
    r"chairman|chairwoman|captain|tutor|teacher|editor|contact|adviser|advisor|agent|representative|"
    r"coordinator|chief|mayor|minister|king|queen|winner|inventor|founder|author|nurse|supervisor)$"
)
_NAME = re.compile(r"^(?:(?:Dr|Mr|Mrs|Ms|Prof)\.? )?[A-Z][\w'-]+(?: [A-Z][\w'.-]*){1,3}$")
_COLOUR = re.compile(
    r"^(?:(?:dark|light|matt|bright|pale) )?(?:black|white|grey|gray|red|blue|green|yellow|orange|"
    r"brown|pink|purple|silver|gold|beige|cream|navy|turquoise|anthracite)(?:\b|$)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"^(?:from |until |before |after |at )?"
    r"\d{1,2}(?:(?:[:.]\d\d)?\s?(?:[ap]\.?m\b|o'clock)|:\d\d\b)",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"^(?:\d{1,2}(?:st|nd|rd|th)? )?(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*"
    r"(?: \d{1,2},?)?(?: \d{4})?$|^\d{4}-\d\d-\d\d$",
    re.IGNORECASE,
)
_VOLUME = re.compile(r"^\d[\d.,]*\s?(?:l|ml|cl|lit(?:re|er)s?|gallons?)\b", re.IGNORECASE)
_DEGREES = re.compile(r"^[+-]?\d[\d.,]*\s?(?:\u00b0\s?[CF]\b|degrees\b)")
_MONEY = re.compile(
    r"^(?:(?:EUR|USD|GBP|CHF|[$\u20ac\u00a3])\s?\d[\d.,]*|"
    r"\d[\d.,]*\s?(?:EUR|USD|GBP|CHF|euros?|dollars?|pounds?|francs?|[$\u20ac\u00a3]))(?:$|\s(?:per|an?)\s)",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"^\d[\d.,]*\s?(?:seconds?|minutes?|min|hours?|h|days?|weeks?|months?|years?)$"
)
_SINGULAR_ENDINGS = ("ss", "us", "is", "ics", "lens", "gas", "canvas", "atlas", "bias")
"""Endings of a singular."""

_OF_VALUES = (
    (_DURATION, r"\bage\b", ("How long is the {a} of {x}?",)),
    (_MONEY, "", ("How much is the {a} of {x}?", "How much do I pay for the {a} of {x}?")),
    (
        _VOLUME,
        r"capacity|volume|content|consumption",
        ("How much does the {a} of {x} hold?", "How big is the {a} of {x}?"),
    ),
    (_DEGREES, "", ("How many degrees is the {a} of {x}?",)),
    (_TIME, r"\btime\b", ("What time is the {a} of {x}?", "When is the {a} of {x}?")),
    (_DATE, "", ("When is the {a} of {x}?", "On what day is the {a} of {x}?")),
    (
        _COLOUR,
        r"colou?r|shade",
        ("What colour is the {a} of {x}?", "What color is the {a} of {x}?"),
    ),
)
"""A type of value, names of attributes that do not fit, and what is asked for it."""

_OF_A_LIST = (
    "Which {a} does {x} have?",
    "List the {a} of {x}.",
    "Can you name all the {a} of {x}?",
)
_OF_A_PART = ("What kind of {a} does {x} have?", "Which {a} does {x} have?")
_SUPERLATIVE = re.compile(r"^(?:\w+est|best|worst|most|least)\b")


def in_words(forms: Sequence[str], words: Sequence[str]) -> list[str]:
    """Forms of every attribute, each with the next of some words in place of its name."""
    return [
        in_number(form, words[at % len(words)]).replace("{a}", words[at % len(words)])
        for at, form in enumerate(forms if words else ())
    ]


def word_forms(words: Sequence[str], *, attribute: str) -> list[str]:
    """Forms that call a listed attribute by other words than the document's own."""
    others = [word for word in words if word.casefold() != attribute.casefold()]
    return in_words(_WITH_WORDS[: 2 * len(others)], others)


def general_forms(attribute: str, value: str, *, units: str) -> list[str]:
    """Forms for an attribute, the document's word for it in place {a}; varied ones come first.

    Args:
        attribute: as it stands within a sentence; a noun.
        value: with its unit.
        units: of the value, in words; "": unknown.
    """
    first, short, *others = GENERAL
    if _PERSON.search(attribute) and _NAME.match(value):
        forms = [form.replace("What is the", "Who is the") for form in GENERAL]
        return [form for form in forms if not form.startswith("What")]
    if _SUPERLATIVE.match(attribute):
        others = [form for form in others if not form.startswith("What {a}")]
    in_units = ["What is the {a} of {x} in {units}?"] if units else []
    typed = [*_of_part(attribute, units=units), *_of_action(attribute, units=units)]
    typed += _of_value(attribute, value)
    forms = [first, *typed[:2], short, *typed[2:], *in_units, *others]
    return [in_number(form, attribute) for form in forms]


def in_number(form: str, attribute: str) -> str:
    """A form whose verb agrees with the attribute."""
    if not is_plural_attribute(attribute):
        return form
    return re.sub(r"\b([Ww]hat|[Ww]ho|[Ww]hen) is the \{a\}", r"\1 are the {a}", form)


def is_plural_attribute(attribute: str) -> bool:
    """Whether the name of an attribute is a plural, by its ending."""
    head = re.split(r"\s+(?:in|for|with|of|on|per|to|at|from)\s+", attribute)[0]
    return head.endswith("s") and not head.casefold().endswith(_SINGULAR_ENDINGS)


def _of_part(attribute: str, *, units: str) -> list[str]:
    """What is asked of a part: "How long is the blade of {x}?" for "blade length"."""
    name, _, measure = attribute.rpartition(" ")
    measure = _SAME_MEASURE.get(measure, measure)
    if name.rpartition(" ")[2] not in _PARTS or _NO_PART.match(name):
        return []
    forms = _OF_PART.get(measure, ())
    return [form.replace("{p}", name) for form in forms if units or "{units}" not in form]


def _of_action(attribute: str, *, units: str) -> list[str]:
    """What is asked of an action: "How fast does {x} grind?" for "grinding speed"."""
    match = re.fullmatch(r"(\w+ing)([ -](?:up|down|off|out))? (\w+)", attribute)
    verb = verb_of(match[1]) if match else ""
    if match is None or not verb:
        return []
    do = f"{verb}{(match[2] or '').replace('-', ' ')}"
    forms = _OF_ACTION.get(match[3], ())
    return [form.replace("{do}", do) for form in forms if units or "{units}" not in form]


def _of_value(attribute: str, value: str) -> tuple[str, ...]:
    """What is asked for a value of its type, such as a time or a list."""
    if is_plural_attribute(attribute):
        return _OF_A_LIST if value.count(",") > 1 else ()
    if (
        attribute.rpartition(" ")[2] in _PARTS
        and not value[:1].isdigit()
        and not _COLOUR.match(value)
    ):
        return _OF_A_PART
    for pattern, unfit, questions in _OF_VALUES:
        if pattern.match(value) and not (unfit and re.search(unfit, attribute)):
            return questions
    return ()
