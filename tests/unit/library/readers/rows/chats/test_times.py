"""Times in usual formats sort as they were; what can be read in two ways is not sorted."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.library.readers.rows.chats.times import parse_times


def _twelve(time: datetime) -> str:
    return f"{time.hour % 12 or 12}:{time:%M} {'AM' if time.hour < 12 else 'PM'}"


FORMATS: dict[str, Callable[[datetime], Any]] = {
    "seconds": lambda t: t.timestamp(),
    "seconds as text": lambda t: str(int(t.timestamp())),
    "milliseconds": lambda t: int(t.timestamp() * 1000),
    "datetime": lambda t: t,
    "iso": lambda t: t.isoformat(),
    "iso, Z": lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso, blank": lambda t: t.strftime("%Y-%m-%d %H:%M"),
    "iso, UTC": lambda t: t.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "iso, basic": lambda t: t.strftime("%Y%m%dT%H%M%S"),
    "iso, other offsets": lambda t: t.astimezone(
        timezone(timedelta(hours=t.minute % 5 - 2))
    ).isoformat(),
    "slashes, year first": lambda t: f"{t.year}/{t.month}/{t.day} {t.hour}:{t:%M}",
    "rfc 2822": format_datetime,
    "ctime": lambda t: t.strftime("%a %b %d %H:%M:%S %Y"),
    "german": lambda t: f"{t.day}.{t.month}.{t.year} {t.hour}:{t:%M}",
    "german, comma": lambda t: t.strftime("%d.%m.%y, %H:%M:%S Uhr"),
    "english month": lambda t: f"{t:%B} {t.day}, {t.year} {_twelve(t)}",
    "english month, day first": lambda t: f"{t.day} {t:%b} {t.year} at {t.hour}:{t:%M}",
    "chat export": lambda t: f"[{t.day}.{t.month}.{t.year}, {t.hour}:{t:%M}]",
    "time first": lambda t: f"{t.hour}:{t:%M}, {t:%d.%m.%Y}",
    "narrow blank": lambda t: f"{t:%Y-%m-%d}, {_twelve(t)}".replace(" AM", "\u202fAM"),
}
MINUTES = st.datetimes(datetime(2001, 1, 1), datetime(2037, 12, 31)).map(
    lambda t: t.replace(second=0, microsecond=0, tzinfo=UTC)
)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=20, deadline=None)
@given(times=st.lists(MINUTES, min_size=2, max_size=5))
def test_times_in_a_known_format_sort_as_they_were(name: str, times: list[datetime]) -> None:
    keys = parse_times([FORMATS[name](time) for time in times])
    assert keys is not None
    assert [sorted(set(keys)).index(key) for key in keys] == [
        sorted(set(times)).index(time) for time in times
    ]


@pytest.mark.parametrize("form", ["%m/%d/%Y {}", "%m-%d-%y {}", "%d/%m/%Y {}"])
@settings(max_examples=20, deadline=None)
@given(times=st.lists(MINUTES, min_size=2, max_size=5))
def test_numeric_dates_sort_as_they_were_or_not_at_all(form: str, times: list[datetime]) -> None:
    keys = parse_times([time.strftime(form).format(_twelve(time)) for time in times])
    ranks = [sorted(set(times)).index(time) for time in times]
    assert keys is None or [sorted(set(keys)).index(key) for key in keys] == ranks


def ranks(*values: Any) -> list[int] | None:
    keys = parse_times(values)
    return None if keys is None else [sorted(set(keys)).index(key) for key in keys]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["9:58 AM", "10:03 AM", "10:20 AM", "1:05 PM"], [0, 1, 2, 3]),
        (["12:05 AM", "12:01 PM", "11:00 AM"], [0, 2, 1]),
        (["9:58", "10:03", "13:05", "10:20"], [0, 1, 3, 2]),
        (["23:50", "23:58", "0:05"], [0, 1, 2]),  # across midnight
        (["0:05", "23:58", "23:50"], [2, 1, 0]),  # newest first
        (["9:58", "10:03", "1:05"], None),  # 1:05 may be in the afternoon
        (["9:58", "10:03", "10:20"], [0, 1, 2]),
        (["3/4/2031", "3/13/2031", "3/5/2031"], [0, 2, 1]),  # no 13th month
        (["9/3/2031", "10/3/2031", "12/3/2031"], [0, 1, 2]),  # the same in both orders
        (["3/4/2031", "4/3/2031"], None),
        (["28.02.2031 10:00", "01.03.2031 09:00"], [0, 1]),
        ([1, "2", 3.5], [0, 1, 2]),
        (["999", "1000"], [0, 1]),
        ([1900000000, 1900000000000], None),  # seconds and milliseconds
        (["2031-03-04T10:00:00+02:00", "2031-03-04T08:30:00Z"], [0, 1]),
        (["2031-03-04T10:00:00Z", "2031-03-04T10:05:00"], None),  # one without an offset
        (["2031-03-04 10:00", "4.3.2031 10:05"], None),  # two formats
        (["4. M\u00e4rz 2031", "5. Mai 2031", "1. Mai 2031"], [0, 2, 1]),
        ([date(2031, 3, 4), date(2031, 3, 3)], [1, 0]),
        (["yesterday", "today"], None),
        (["2031-02-30", "2031-03-01"], None),
        ([None, "2031-03-01"], None),
        ([True, False], None),
        ([float("nan"), 1], None),
    ],
)
def test_times_are_understood_in_one_format_or_not_at_all(
    values: list[Any], expected: list[int] | None
) -> None:
    assert ranks(*values) == expected
