"""Questions about when and how often something is done to a thing: "Water", "every 10 days"."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ftdist.library.synthesis.command_questions import COMMAND_VERBS

_OFTEN = re.compile(
    r"(?:once|twice|(?:two|three|four|\d+) times|every|each|daily|weekly|fortnightly|monthly"
    r"|quarterly|yearly|annually)\b",
    re.IGNORECASE,
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_SEASON = re.compile(
    rf"(?:(?:early|mid|late|end of|from|in)[ -])?(?:{_MONTH}|spring|summer|autumn|winter)\b"
    rf"(?: (?:to|and|or|until) (?:(?:early|mid|late)[ -])?"
    rf"(?:{_MONTH}|spring|summer|autumn|winter))?"
    r"(?=$|,)",
    re.IGNORECASE,
)
_GARDEN_WORDS = "plant prune repot fertilise fertilize sow harvest mow weed thin divide mulch"
_VERBS = COMMAND_VERBS | frozenset(_GARDEN_WORDS.split())
_DONE = {
    "collection": "collected", "emptying": "emptied", "cleaning": "cleaned",
    "maintenance": "serviced", "service": "serviced", "inspection": "inspected",
    "replacement": "replaced", "watering": "watered", "feeding": "fed", "pruning": "pruned",
    "delivery": "delivered", "update": "updated", "updates": "updated", "payment": "paid",
}  # fmt: skip
_OF_VERB = (
    "{how} should I {do} {x}?",
    "{how} do I have to {do} {x}?",
    "I need to know {how_} I should {do} {x}.",
    "{n} {do} {how_}",
    "{how} does one {do} {x}?",
    "Can you tell me {how_} to {do} {x}?",
    "I have a question about {x}. {how} should I {do} it?",
)
_OF_NOUN = (
    "{how} is {x} {do}?",
    "Can you tell me {how_} {x} is {do}?",
    "{n} {a} {how_}",
    "I need to know {how_} {x} is {do}.",
    "{x}: {how_} is it {do}?",
    "What is the {a} of {x}?",
)


class Schedule(NamedTuple):
    """Wordings of a question, its answer, and what fills their places."""

    forms: Sequence[str]
    answer: str
    places: dict[str, str]


def schedule_of(attribute: str, value: str) -> Schedule | None:
    """When or how often something is done, which a heading and its cell say; None if they do not.

    Args:
        attribute: as it stands within a sentence: "plant out", "collection".
        value: such as "every 10 days" or "April to May".
    """
    how = "How often" if _OFTEN.match(value) else "When" if _SEASON.match(value) else ""
    verb, _, rest = attribute.partition(" ")
    is_verb = verb in _VERBS and rest in ("", "out", "up", "back", "in", "off")
    done = _DONE.get(attribute, "")
    if not how or not (is_verb or done):
        return None
    places = {
        "how": how,
        "how_": f"{how[0].lower()}{how[1:]}",
        "do": attribute if is_verb else done,
    }
    if is_verb:
        is_often = how == "How often"
        answer = "{Do} {x} {v}." if is_often else "{Do} {x}: {v}."
        value = f"{value[0].lower()}{value[1:]}" if is_often else value
        places |= {"Do": attribute.capitalize(), "v": value}
        return Schedule(_OF_VERB, answer, places)
    return Schedule(
        _OF_NOUN, "The {a} of {x} is {v}.", places | {"v": f"{value[0].lower()}{value[1:]}"}
    )
