"""Secrets and personal data in text: found by their form, masked by a word for what it was.

Numbers count as cards by Luhn's check and as accounts by ISO 13616's remainder, so that part
numbers and versions stay. Key forms are those that their makers publish.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ftdist.config.schema.curate import SensitivePolicy


class PiiMatch(NamedTuple):
    """Something private: its kind, and the characters `start` to `end` of the text."""

    kind: str
    start: int
    end: int


class _Form(NamedTuple):
    kind: str
    hint: str
    """What a text must hold for the pattern to be tried; "" tries it wherever there are digits."""

    pattern: re.Pattern[str]
    is_real: Callable[[str], bool]


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _iban(text: str) -> bool:
    plain = text.replace(" ", "")
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _telephone(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    return 9 <= digits <= 15


def _varied(text: str) -> bool:
    """Whether a value looks drawn at random: letters and digits, few repeated."""
    value = re.split(r"[=:]\s*", text, maxsplit=1)[-1].strip("\"' ")
    is_mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return is_mixed and len(set(value)) >= 6


def _always(_text: str) -> bool:
    return True


SECRETS = ("secret",)
_FORMS: tuple[_Form, ...] = (
    _Form(
        "secret",
        "PRIVATE KEY",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        ),
        _always,
    ),
    *(
        _Form("secret", hint, re.compile(rf"(?<![\w-]){form}(?![\w-])"), _always)
        for hint, form in (
            ("AKIA", r"AKIA[0-9A-Z]{16}"),
            ("ASIA", r"ASIA[0-9A-Z]{16}"),
            ("gh", r"gh[pousr]_[A-Za-z0-9]{36,}"),
            ("github_pat_", r"github_pat_\w{40,}"),
            ("glpat-", r"glpat-[\w-]{20,}"),
            ("xox", r"xox[abprs]-[\w-]{10,}"),
            ("sk_live_", r"sk_live_\w{20,}"),
            ("sk-", r"sk-[\w-]{20,}"),
            ("hf_", r"hf_[A-Za-z0-9]{30,}"),
            ("AIza", r"AIza[\w-]{35}"),
            ("eyJ", r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
        )
    ),
    _Form("secret", "://", re.compile(r"(?<=://)[^/\s:@<>]+:[^/\s@<>]+(?=@)"), _always),
    _Form(
        "secret",
        "",
        re.compile(
            r"(?i)\b(?:password|passwd|pwd|api[_-]?key|secret|access[_-]?token|auth[_-]?token)"
            r"\s*[=:]\s*[\"']?[^\s\"'<>]{8,}"
        ),
        _varied,
    ),
    _Form(
        "e-mail",
        "@",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])"),
        _always,
    ),
    _Form("card number", "", re.compile(r"(?<![\w.-])(?:\d[ -]?){13,18}\d(?![\w.-])"), _luhn),
    _Form(
        "account number",
        "",
        re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)"),
        _iban,
    ),
    _Form(
        "telephone",
        "",
        re.compile(
            r"(?<![\w.,:/#-])"
            r"(?:(?:\+|00(?=[1-9]))\d{1,3}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?|\(\d{2,5}\)[ .-]?)"
            r"\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-]|\.\d)"
            r"|(?<![\w.,:/#-])\d{3}[.-]\d{3}[.-]\d{4}(?![\w-]|\.\d)"
        ),
        _telephone,
    ),
)
_MAY_HOLD = re.compile(r"[@\d]|://|PRIVATE KEY|(?i:passw|secret|token|api.?key)")


def find_pii(text: str) -> list[PiiMatch]:
    """What is private in a text, in order, without overlaps; the first form that fits wins."""
    if not _MAY_HOLD.search(text):
        return []
    found: list[PiiMatch] = []
    for form in _FORMS:
        if form.hint in text:
            found += [
                PiiMatch(form.kind, match.start(), match.end())
                for match in form.pattern.finditer(text)
                if form.is_real(match[0])
            ]
    chosen: list[PiiMatch] = []
    for each in found:
        if all(each.end <= other.start or each.start >= other.end for other in chosen):
            chosen.append(each)
    return sorted(chosen, key=lambda each: each.start)


def mask_pii(
    text: str, *, secrets: SensitivePolicy, personal: SensitivePolicy, keep: Sequence[str]
) -> tuple[str, Counter[str]]:
    """A text without what is private, and how often each kind of it was met.

    Args:
        text: any.
        secrets: keep leaves them as they are, uncounted; mask and refuse replace them.
        personal: likewise.
        keep: words that are not private; `@domain` keeps every address of a domain.
    """
    kinds: Counter[str] = Counter()
    pieces, end = [], 0
    for each in _unwanted(text, secrets=secrets, personal=personal, keep=keep):
        kinds[each.kind] += 1
        pieces += [text[end : each.start], f"<{each.kind}>"]
        end = each.end
    return "".join([*pieces, text[end:]]), kinds


def _unwanted(
    text: str, *, secrets: SensitivePolicy, personal: SensitivePolicy, keep: Sequence[str]
) -> Iterator[PiiMatch]:
    kept = {word.casefold() for word in keep}
    for each in find_pii(text):
        if (secrets if each.kind in SECRETS else personal) == "allow":
            continue
        value = text[each.start : each.end].casefold()
        if value not in kept and f"@{value.partition('@')[2]}" not in kept:
            yield each
