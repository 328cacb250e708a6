"""Names of attributes for headings that only their values explain, such as "Day" above a price."""

import re

from ftdist.library.synthesis.attribute_lexicon import HOURS, is_attribute
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.units import MONEY

OF_DAYS = re.compile(r"^days? (?:(?:opening )?(?:hours|times)|open)$", re.IGNORECASE)
"""The headings of a table of opening hours, joined."""

NO_ATTRIBUTE = re.compile(
    r"(?:minutes?|hours?|km|kilomet\w+|miles?) (?:from|to|until|after) |.*[a-z]{7,}\.$",
    re.IGNORECASE,
)
"""Headings that no question can name: "Minutes from Hillcrest", "Decompress."."""

_LIMIT = re.compile(
    r"(?:with|without|including|excluding|incl|excl|empty|full|loaded|unloaded|folded|unfolded"
    r"|packed|open|closed|dry|wet|net|gross|assembled|extended)\b",
    re.IGNORECASE,
)
_WITH = re.compile(
    r"^(?P<attribute>(?!price).+?)"
    r" (?P<limit>(?:with|without|including|excluding|incl\.?|excl\.?) .+)$",
    re.IGNORECASE,
)
_PERIOD = re.compile(
    r"^(?:(?:one|1|whole|full|per|an?|each) )?(?P<one>hour|half[ -]day|day|night|weekend|week"
    r"|fortnight|month|quarter|year)$",
    re.IGNORECASE,
)
_PERIODS = re.compile(r"^(?P<n>\d+ (?:hours?|days?|nights?|weeks?|months?))$", re.IGNORECASE)
_SEASON = re.compile(
    r"^(?:(?:low|high|off|peak|main|mid|shoulder|summer|winter)[ -]season|summer|winter|spring"
    r"|autumn)$",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"^(?:(?P<one>adult|child|student|senior|group|member|concession|reduced|family)s?"
    r"|(?P<children>children)|(?P<families>families))$",
    re.IGNORECASE,
)
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = "(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:days?|\\b\\.?)"
_DAYS = re.compile(rf"^({_DAY})(?:\s?[\u2013-]\s?| to )({_DAY})$")
_NO_PRICE = re.compile(
    r"pric|cost|fee|rate\b|charge|deposit|fine|rent|tariff|limit|maxim|minim|budget|excess|value"
    r"|amount|total|saving|discount|balance|tax|per\b|salary|wage|allowance|postage|supplement",
    re.IGNORECASE,
)
SELLS = re.compile(
    r"\b(?:pric\w+|costs?|fees?|rates?|tariffs?|charges|hire|rent\w*|rental|shop|store|menu|tickets?"
    r"|admission|entry|entrance|extras?|parts|accessor\w+|products?|services?|delivery|shipping"
    r"|memberships?|courses|lessons|plans|domains|treatments?|rooms?|repairs?|packages|offers?|buy\w*|order\w*)\b",
    re.IGNORECASE,
)
"""What a section's heading says where amounts are prices."""

_FOOTNOTE = re.compile(
    r"(?<=[\w)])\s?(?P<mark>\*{1,3}|[\u2020\u2021\u00b9\u00b2\u00b3\u2074-\u2079])$"
)


def plain_name(name: str, value: str) -> str:
    """A heading as an attribute: "price per day" for "Day" above "45 EUR"."""
    if HOURS.search(value) and (days := _DAYS.match(name)):
        return f"{_whole_day(days[1])} to {_whole_day(days[2])}"
    if not MONEY.match(value):
        return name
    if period := _PERIOD.match(name):
        return f"price per {period['one'].lower()}"
    if periods := _PERIODS.match(name):
        return f"price for {periods['n'].lower()}"
    if _SEASON.match(name):
        return f"price in {name.lower()}"
    if people := _PEOPLE.match(name):
        one = people["one"] or ("child" if people["children"] else "family")
        return f"{one.lower()} price"
    return name


def is_kind_of_price(name: str, value: str, section: Section) -> bool:
    """Whether a heading says for what an amount is paid: "Ten visits" in a table of tickets."""
    is_named = is_attribute(name) or _NO_PRICE.search(name) or re.match(r"price\b", name)
    return bool(MONEY.match(value)) and not is_named and bool(SELLS.search(section.name))


def days_within(name: str) -> list[str]:
    """The days of a span such as "Monday to Friday"; empty for another name."""
    days = name.split(" to ")
    if len(days) != 2 or not set(days) <= set(_WEEK):
        return []
    first, last = map(_WEEK.index, days)
    return [_WEEK[(first + at) % 7] for at in range((last - first) % 7 + 1)]


def _whole_day(name: str) -> str:
    return next(day for day in _WEEK if day.startswith(name[:3]))


def with_brackets(name: str) -> str:
    """A heading with what limits it in brackets: "Weight (empty)" for "Weight, empty"."""
    attribute, comma, limit = name.partition(", ")
    if not comma and (found := _WITH.match(name)):
        attribute, limit = found["attribute"], found["limit"]
    is_limit = limit and _LIMIT.match(limit) and is_attribute(attribute)
    return f"{attribute} ({limit})" if is_limit else name


def without_footnote(value: str, section: Section) -> str:
    """A value without the mark of a footnote that stands in its section."""
    mark = _FOOTNOTE.search(value)
    if mark is None or not any(b.text.startswith(mark["mark"]) for b in section.blocks):
        return value
    return value[: mark.start()]
