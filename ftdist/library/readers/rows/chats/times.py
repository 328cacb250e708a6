"""Times of messages, in the usual ways to write them, as numbers to sort by."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

_DAY_S = 86_400.0
_MILLISECONDS = 1e11
"""Numbers from here on count milliseconds since 1970; seconds would be in the year 5138."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan ene", "feb fév", "mar mär mrz", "apr abr avr", "may mai", "jun juin", "jul juil",
         "aug ago aoû", "sep", "oct okt", "nov", "dec dez dic déc"), start=1
    )
    for name in names.split()
}  # fmt: skip
"""First letters of the months in English, German, Spanish and French."""

_CLOCK = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}(?:[.,]\d+)?))?"
    r"(?:\s?(?P<half>[ap])\.?m\.?)?(?:\s?(?P<zone>z|utc|gmt|[+-]\d{2}:?\d{2}))?"
)
_DATES = {
    "dmy": r"(?P<day>\d{1,2})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})",
    "mdy": r"(?P<month>\d{1,2})(?P<mark>[/-])(?P<day>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})",
    "ymd": r"(?P<year>\d{4})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    "d name y": r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[ -](?:de )?(?P<name>[^\W\d_]{3,12})"
    r"\.?,?[ -](?:de )?(?P<year>\d{4})",
    "name d y": r"(?P<name>[^\W\d_]{3,12})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})",
}
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? )?"
_WRITTEN = [
    *(
        re.compile(rf"{_WEEKDAY}{day}(?:(?:,? |t|,? at | um | - ){_CLOCK})?")
        for day in _DATES.values()
    ),
    *(re.compile(rf"{_CLOCK},? {_WEEKDAY}{day}") for day in _DATES.values()),
    re.compile(
        rf"{_WEEKDAY}(?P<name>[^\W\d_]{{3,12}}) (?P<day>\d{{1,2}}) {_CLOCK} (?P<year>\d{{4}})"
    ),
]
_CLOCK_ALONE = re.compile(_CLOCK)


def parse_times(values: Sequence[Any]) -> list[float] | None:
    """Sort keys of times that are all written in one way; None if it is not clear what they mean.

    If a date such as 3/4/2031 can be read in two ways, the order must be the same in both.
    """
    if any(value is None or isinstance(value, bool) for value in values):
        return None
    for parse in (_parse_numbers, _parse_datetimes):
        if keys := parse(values):
            return keys
    if not all(isinstance(value, str) for value in values):
        return None
    texts = [_simple(value) for value in values]
    if keys := _parse_each(texts, _iso):
        return keys
    readings = [keys for form in _WRITTEN if (keys := _parse_written(texts, form))]
    if readings:
        orders = {tuple(_order(keys)) for keys in readings}
        return readings[0] if len(orders) == 1 else None
    return _parse_clocks(texts)


def _order(keys: Sequence[float]) -> list[int]:
    """The rank of each key."""
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [ranks[key] for key in keys]


def _simple(text: str) -> str:
    return " ".join(text.strip().strip("[]").lower().split()).removesuffix(" uhr")


def _parse_numbers(values: Sequence[Any]) -> list[float] | None:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    if any(number != number for number in numbers):
        return None
    if len({abs(number) >= _MILLISECONDS for number in numbers}) > 1:
        return None  # seconds and milliseconds
    return numbers


def _parse_datetimes(values: Sequence[Any]) -> list[float] | None:
    if all(isinstance(value, datetime) for value in values):
        return _instants(list(values))
    if all(isinstance(value, date) and not isinstance(value, datetime) for value in values):
        return [float(value.toordinal()) for value in values]
    return None


def _instants(times: Sequence[datetime]) -> list[float] | None:
    """Seconds since 1970; None if only some have an offset."""
    if len({time.tzinfo is None for time in times}) > 1:
        return None
    return [time.replace(tzinfo=time.tzinfo or UTC).timestamp() for time in times]


def _parse_each(texts: Sequence[str], parse: Callable[[str], datetime]) -> list[float] | None:
    try:
        return _instants([parse(text) for text in texts])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(text.upper().removesuffix(" UTC"))


def _parse_written(texts: Sequence[str], form: re.Pattern[str]) -> list[float] | None:
    matches = [form.fullmatch(text) for text in texts]
    if not all(matches):
        return None
    found = [match.groupdict() for match in matches if match]
    marks = {(bool(parts["hour"]), parts.get("mark"), len(parts["year"])) for parts in found}
    if len(marks) > 1 or not _has_one_clock(found):
        return None
    return _parse_each(texts, lambda text: _written(form, text))


def _has_one_clock(found: Sequence[dict[str, Any]]) -> bool:
    """Whether all have AM or PM, or none."""
    return len({bool(parts["half"]) for parts in found}) == 1


def _written(form: re.Pattern[str], text: str) -> datetime:
    match = form.fullmatch(text)
    assert match
    parts = match.groupdict()
    month = int(parts["month"]) if parts.get("month") else _month(parts["name"])
    year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
    day = datetime(year, month, int(parts["day"]), tzinfo=_zone(parts["zone"]))
    return day + timedelta(seconds=_seconds(parts) if parts["hour"] else 0)


def _month(name: str) -> int:
    month = _MONTHS.get(name[:4]) or _MONTHS.get(name[:3])
    if month is None:
        raise ValueError(name)
    return month


def _zone(zone: str | None) -> Any:
    if zone is None:
        return None
    if zone in ("z", "utc", "gmt"):
        return UTC
    return datetime.strptime(zone, "%z").tzinfo


def _seconds(parts: dict[str, Any]) -> float:
    """Seconds since midnight.

    Raises:
        ValueError: there is no such time.
    """
    hour, minute = int(parts["hour"]), int(parts["minute"])
    second = float((parts["second"] or "0").replace(",", "."))
    if parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if parts["half"] == "p" else 0)
    if hour > 23 or minute > 59 or second >= 61:
        raise ValueError(parts)
    return hour * 3600 + minute * 60 + second


def _parse_clocks(texts: Sequence[str]) -> list[float] | None:
    """Times of day without a date; a thread may cross midnight once, in either direction."""
    matches = [_CLOCK_ALONE.fullmatch(text) for text in texts]
    if not all(matches):
        return None
    found = [match.groupdict() for match in matches if match]
    try:
        seconds = [_seconds(parts) for parts in found]
    except ValueError:
        return None
    if not _has_one_clock(found) or any(parts["zone"] for parts in found):
        return None
    up, down = _across_midnight(seconds), _across_midnight(seconds[::-1])
    if up or down:
        return up or (down or [])[::-1]
    is_ordered = seconds in (sorted(seconds), sorted(seconds, reverse=True))
    may_lack_pm = all(1 <= int(parts["hour"]) <= 12 and not parts["half"] for parts in found)
    return None if may_lack_pm and not is_ordered else seconds


def _across_midnight(seconds: Sequence[float]) -> list[float] | None:
    """Times that go up, but for one step back that is midnight: the whole lasts half a day."""
    falls = [at for at, (before, after) in enumerate(pairwise(seconds), 1) if after < before]
    if len(falls) != 1 or seconds[-1] + _DAY_S - seconds[0] >= _DAY_S / 2:
        return None
    return [second + _DAY_S * (at >= falls[0]) for at, second in enumerate(seconds)]
