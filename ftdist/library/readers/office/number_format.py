"""Numbers, dates and times of a spreadsheet as its number formats show them."""

import datetime
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_TOKEN = re.compile(
    r"""\[\$(?P<currency>[^\]-]*)[^\]]*\]|"(?P<quoted>[^"]*)"|\\(?P<escaped>.)"""
    r"""|(?P<skipped>\[[^\]]*\]|\*.)|(?P<blank>_.)|(?P<exponent>E[+-]0+)|(?P<digits>[0#?.,]+)"""
    r"""|(?P<other>.)""",
    re.IGNORECASE,
)
_DATE_TOKEN = re.compile(
    r"""\[(?P<total>h+|m+|s+)\]|(?P<part>y+|m+|d+|h+|s+)(?P<fraction>\.0+)?|(?P<half>AM/PM|A/P)"""
    r"""|"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<skipped>\[[^\]]*\]|_.|\*.)|(?P<other>.)""",
    re.IGNORECASE,
)
_LOCAL_DATE = "mm-dd-yy"
"""Excel writes this date as the reader's country does; here it is the unambiguous one."""

_PARTS = {
    "yy": "%y",
    "yyyy": "%Y",
    "mmm": "%b",
    "mmmm": "%B",
    "ddd": "%a",
    "dddd": "%A",
}
_MAX_EXCEL_DIGITS = 10


def shown(value: Any, number_format: str) -> str:
    """A cell's value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return _date(value, number_format)
    if isinstance(value, int | float):
        return _number(value, number_format)
    return str(value)


def _number(value: float, number_format: str) -> str:
    sections = re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', number_format)
    if value < 0 and len(sections) > 1:
        section, value = sections[1], -value
    else:
        section = sections[2] if value == 0 and len(sections) > 2 else sections[0]
    tokens = [(match.lastgroup or "", match) for match in _TOKEN.finditer(section)]
    patterns = [match[0] for kind, match in tokens if kind == "digits"]
    if section.strip().lower() in ("general", "@", "") or "/" in section or len(patterns) > 1:
        return _general(value)
    if not patterns and section:
        return "".join(_literal(kind, match) for kind, match in tokens).strip()
    percents = sum(match[0] == "%" for _, match in tokens)
    exponent = next((match[0] for kind, match in tokens if kind == "exponent"), "")
    digits = _digits(Decimal(repr(value)) * 100**percents, patterns[0], exponent=exponent)
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    text = "".join(
        digits if kind == "digits" else "" if kind == "exponent" else _literal(kind, match)
        for kind, match in tokens
    )
    return f"{sign}{text.strip()}"


def _digits(value: Decimal, pattern: str, *, exponent: str) -> str:
    """A number with the digits that a pattern such as `#,##0.00` asks for."""
    whole, _, fraction = pattern.partition(".")
    while whole.endswith(",") or fraction.endswith(","):  # shown in thousands
        value /= 1000
        whole, fraction = (whole[:-1], fraction) if whole.endswith(",") else (whole, fraction[:-1])
    if exponent:
        mantissa, _, power = f"{value:.{len(fraction)}E}".partition("E")
        return f"{mantissa}E{int(power):+0{len(exponent) - 1}d}"
    step = Decimal(1).scaleb(-len(fraction))
    number, _, decimals = f"{value.quantize(step, ROUND_HALF_UP):f}".partition(".")
    while len(decimals) > fraction.count("0") and decimals.endswith("0"):
        decimals = decimals[:-1]
    sign, number = ("-", number[1:]) if number.startswith("-") else ("", number)
    number = number.zfill(whole.count("0")) if whole.count("0") else number.lstrip("0")
    if "," in whole:
        number = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", number)
    is_zero = not (number + decimals).strip("0,")
    return ("" if is_zero else sign) + number + (f".{decimals}" if decimals else "")


def _general(value: float) -> str:
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return str(int(value))
    return f"{value:.{_MAX_EXCEL_DIGITS}g}".upper().replace("E+0", "E+").replace("E-0", "E-")


def _literal(kind: str, match: re.Match[str]) -> str:
    if kind in ("currency", "quoted", "escaped"):
        return match[kind]
    return {"skipped": "", "blank": " "}.get(kind, match[0])


def _date(value: datetime.date | datetime.time | datetime.timedelta, number_format: str) -> str:
    if isinstance(value, datetime.timedelta):
        return _duration(value, number_format)
    if number_format.lower() in (_LOCAL_DATE, "general"):
        return value.isoformat() if not _is_midnight(value) else value.strftime("%Y-%m-%d")
    tokens = list(_DATE_TOKEN.finditer(number_format.split(";")[0]))
    has_half = any(match["half"] for match in tokens)
    parts = [match["part"].lower() if match["part"] else "" for match in tokens]
    texts = []
    for number, match in enumerate(tokens):
        part = parts[number]
        if part:
            texts.append(
                _date_part(value, part, is_minute=_is_minute(parts, number), half=has_half)
            )
        elif match["half"]:
            texts.append(value.strftime("%p"))
        else:
            texts.append(match["quoted"] or match["escaped"] or match["other"] or "")
    return "".join(texts).strip()


def _is_midnight(value: datetime.date | datetime.time) -> bool:
    return isinstance(value, datetime.datetime) and value.time() == datetime.time()


def _is_minute(parts: list[str], number: int) -> bool:
    """Whether `m` stands after hours or before seconds."""
    before = [part for part in parts[:number] if part]
    after = [part for part in parts[number + 1 :] if part]
    return bool(before and before[-1][0] == "h") or bool(after and after[0][0] == "s")


def _date_part(
    value: datetime.date | datetime.time, part: str, *, is_minute: bool, half: bool
) -> str:
    if part in _PARTS and not is_minute:
        return value.strftime(_PARTS[part])
    hour = getattr(value, "hour", 0)
    number = {
        "y": getattr(value, "year", 0),
        "m": getattr(value, "minute", 0) if is_minute else getattr(value, "month", 0),
        "d": getattr(value, "day", 0),
        "h": (hour - 1) % 12 + 1 if half else hour,
        "s": getattr(value, "second", 0),
    }[part[0]]
    return f"{number:0{len(part)}d}"


def _duration(value: datetime.timedelta, number_format: str) -> str:
    """Hours, minutes and seconds, such as 26:30:00."""
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    has_seconds = "s" in number_format.lower() or seconds
    return f"{hours}:{minutes:02d}" + (f":{seconds:02d}" if has_seconds else "")
