"""Find and mask secrets and personal data in text by their patterns.

Manuals are full of numbers, so a number is masked only on evidence: cards by their issuer's prefix,
length and Luhn's check, accounts (IBAN) by ISO 13616's remainder, telephone numbers by a country
code or a word such as "call" before them. Key patterns are those that their issuers publish.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ftdist.config.schema.curate import PiiPolicy, SensitivePolicy
from ftdist.io.secret_names import TOKEN_SHAPES


class PiiMatch(NamedTuple):
    """A secret or personal datum: its kind, and the characters `start` to `end` of the text."""

    kind: str
    start: int
    end: int


class _Pattern(NamedTuple):
    kind: str
    hint: str
    """A substring without which the pattern is not tried."""

    regex: re.Pattern[str]
    is_valid: Callable[[str], bool]


_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|(?:6011|65\d\d|64[4-9]\d|35[2-8]\d)\d{12}|62\d{14,17}"
)
"""Prefix and length of Visa, Mastercard, American Express, Diners, Discover, JCB and UnionPay."""

_CARD_GROUPS = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)}


def _card(text: str) -> bool:
    groups = tuple(map(len, re.split("[ -]", text)))
    if len(groups) > 1 and groups not in _CARD_GROUPS:
        return False
    number = re.sub("[ -]", "", text)
    return _CARD.fullmatch(number) is not None and _luhn(number)


def _luhn(number: str) -> bool:
    digits = [int(c) for c in number]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _iban(text: str) -> bool:
    plain = text.replace(" ", "")
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _telephone(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    return 9 <= digits <= 15


def _looks_random(text: str) -> bool:
    """Whether a value looks random: letters and digits, few of them repeated."""
    is_mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    return is_mixed and len(set(text)) >= 6 and not _PLACEHOLDER.search(text)


_PLACEHOLDER = re.compile(r"(?i)your|example|change_?me|placeholder|dummy|xxxx")


def _always(_text: str) -> bool:
    return True


SECRET = "secret"
PUBLISHED = frozenset({"e-mail", "telephone", "account number"})
"""What documents give to be used, such as the address of a hotline."""

_LOCAL_NUMBER = r"\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-]|\.\d)"
_CALL = (
    r"(?i:\b(?:tel|tél|phone|telephone|telefon|teléfono|telefono|fon|fax|mobile|mobil|handy"
    r"|call|dial|hotline|whatsapp|sms|appel\w*|ruf\w*|anruf\w*|llam\w*|chiam\w*))"
)
_PATTERNS: tuple[_Pattern, ...] = (
    _Pattern(
        SECRET,
        "PRIVATE KEY",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        ),
        _always,
    ),
    *(
        _Pattern(SECRET, hint, re.compile(rf"(?<![\w-]){key}(?![\w-])"), _always)
        for hint, key in TOKEN_SHAPES
    ),
    _Pattern(SECRET, "://", re.compile(r"(?<=://)[^/\s:@<>]+:[^/\s@<>]+(?=@)"), _always),
    _Pattern(
        SECRET,
        "",
        re.compile(
            r"(?i)\b(?:password|passwd|pwd|api[_-]?key|secret|access[_-]?token|auth[_-]?token)"
            r"(?:\\?[\"'])?\s*[=:]\s*(?:\\?[\"'])?"
            r"(?P<value>[^\s\"'<>]{7,}[^\s\"'<>.,;:)\\])"
        ),
        _looks_random,
    ),
    _Pattern(
        "e-mail",
        "@",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])"),
        _always,
    ),
    _Pattern("card number", "", re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?!\w|[.-]\d)"), _card),
    _Pattern(
        "account number",
        "",
        re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)"),
        _iban,
    ),
    _Pattern(
        "telephone",
        "",
        re.compile(
            r"(?<![\w.,:/#+-])(?:\+|00)[1-9]\d{0,2}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?"
            rf"{_LOCAL_NUMBER}"
            r"|(?<![\w.,:/#-])\(\d{3}\) \d{3}-\d{4}(?![\w-])"
            rf"|{_CALL}\b[^\d\n+(]{{0,30}}(?P<value>\(?\d{{2,5}}\)?[ .-]?{_LOCAL_NUMBER})"
        ),
        _telephone,
    ),
)
_MAY_MATCH = re.compile(r"[@\d]|://|PRIVATE KEY|(?i:passw|secret|token|api.?key)")


def find_pii(text: str) -> list[PiiMatch]:
    """Secrets and personal data in a text, in order, without overlaps; the first pattern wins."""
    if not _MAY_MATCH.search(text):
        return []
    chosen: list[PiiMatch] = []
    for pattern in _PATTERNS:
        if pattern.hint not in text:
            continue
        for match in pattern.regex.finditer(text):
            value = "value" if match.groupdict().get("value") else 0
            start, end = match.span(value)
            is_free = all(end <= other.start or start >= other.end for other in chosen)
            if is_free and pattern.is_valid(match[value]):
                chosen.append(PiiMatch(pattern.kind, start, end))
    return sorted(chosen, key=lambda match: match.start)


class Masked(NamedTuple):
    """A text whose secrets and personal data are replaced, with counts by their kind."""

    text: str
    masked: Counter[str]
    published: Counter[str]
    """What stays because a document publishes it."""


def mask_pii(
    text: str,
    *,
    secrets: SensitivePolicy,
    personal: PiiPolicy,
    allowlist: Sequence[str],
    is_published: bool = False,
) -> Masked:
    """A text with secrets and personal data replaced by their kind.

    Args:
        text: any.
        secrets: "allow" leaves them in the text, uncounted; "mask" and "error" replace them.
        personal: likewise; "mask_conversations" as "mask" unless the text is published.
        allowlist: texts that are never masked; `@domain` allows every address of a domain.
        is_published: whether a document gives it to its readers, unlike a conversation.
    """
    kinds: Counter[str] = Counter()
    published: Counter[str] = Counter()
    parts, end = [], 0
    allowed = {word.casefold() for word in allowlist}
    for match in find_pii(text):
        value = text[match.start : match.end].casefold()
        if (
            (secrets if match.kind == SECRET else personal) == "allow"
            or value in allowed
            or f"@{value.partition('@')[2]}" in allowed
        ):
            continue
        if is_published and personal == "mask_conversations" and match.kind in PUBLISHED:
            published[match.kind] += 1
            continue
        kinds[match.kind] += 1
        parts += [text[end : match.start], f"<{match.kind}>"]
        end = match.end
    return Masked("".join([*parts, text[end:]]), kinds, published)
