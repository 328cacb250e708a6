# ruff: noqa: RUF001 - symbols that look like others are the content
"""Text encodings: bytes of a file as text.

UTF-8 and byte order marks are certain. Anything else is a guess: each encoding that can decode the
bytes is judged by its text. A text is plausible if all its letters belong to one language and
stand where they can stand: no capital inside a word, no symbol between letters.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ftdist.library.readers.alphabets import (
    COMMON_LEADS,
    FINAL,
    FREQUENCY,
    LANGUAGES,
    MIN_VOWELS,
    THAI,
    VOWELS,
    Language,
)
from ftdist.library.schema import BadRowError, Note

_MIN_PLAUSIBLE = 0.75
"""Fraction of a text's characters outside ASCII that must be plausible."""

_SAMPLE_BYTES = 2**14
_SHORT_BYTES = 30
"""Bytes outside ASCII of a text that is too short to tell similar encodings apart."""
_REMEDY = "Save it as UTF-8, or set library.encoding."

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 comes first: its mark begins with that of UTF-16."""

_WINDOWS_NAMES = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254"}
"""What software means by these names."""


def decode(
    data: bytes, *, declared: str | None = None, encoding: str | None = None
) -> tuple[str, tuple[Note, ...]]:
    """Bytes as text with line feeds, and a note if the encoding was guessed.

    Args:
        data: content of a file.
        declared: encoding that the file itself names, such as that of a meta tag.
        encoding: of files that are not UTF-8, as the user knows it; None: guessed.

    Raises:
        BadRowError: they are not text, mix two encodings, or could be in any.
    """
    text, notes = _decode(data, declared=declared, encoding=encoding)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadRowError(f"contains NUL bytes (line {line})", "Remove it, or save it as text.")
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def declared_encoding(markup: bytes) -> str | None:
    """The encoding that a page names in a meta tag or its XML declaration."""
    match = _DECLARED.search(markup[:4096])
    return match[1].decode("ascii") if match else None


_DECLARED = re.compile(
    rb"""<(?:meta\b[^>]*\bcharset|\?xml\b[^>]*\bencoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)


def _decode(
    data: bytes, *, declared: str | None, encoding: str | None
) -> tuple[str, tuple[Note, ...]]:
    if mark := find_mark(data):
        return _decode_strictly(data[len(mark[0]) :], mark[1]), ()
    is_utf8 = _can_decode(data, "utf-8")
    if encoding and not (is_utf8 and not data.isascii()):
        return _decode_strictly(data, encoding), ()
    if is_utf8 and b"\x1b$" not in data:
        return data.decode(), ()
    refuse_mixed(data)
    named = _codec(declared) if declared else None
    if named and named != "utf-8" and _can_decode(data, named):
        return data.decode(named), ()
    for guess in guess_encodings(data):
        if _can_decode(data, guess):
            text = data.decode(guess)
            return text, (guess_note(text, encoding=guess),)
    raise BadRowError("is in an encoding that cannot be recognized", _REMEDY)


def find_mark(data: bytes) -> tuple[bytes, str] | None:
    """The byte order mark at the beginning, and its encoding."""
    return next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), None)


def guess_note(text: str, *, encoding: str) -> Note:
    """The note of a guess, with the first word that depends on it."""
    match = re.search(r"[^\s<>\"]*[^\x00-\x7f][^\s<>\"]*", text)
    return Note(rule="encoding guessed", excerpt=f"{encoding}: {match[0] if match else ''}")


def refuse_mixed(data: bytes) -> None:
    """Refuse UTF-8 with bytes of another encoding: any single encoding would garble part of it.

    Raises:
        BadRowError: it has at least as many non-ASCII characters of UTF-8 as invalid bytes.
    """
    text = data.decode("utf-8-sig", "surrogateescape")
    invalid = _INVALID_UTF8.findall(text)
    if invalid and len(_NON_ASCII.findall(text)) >= 2 * len(invalid):
        line = text.count("\n", 0, text.index(invalid[0])) + 1
        raise BadRowError(f"mixes UTF-8 with another encoding (line {line})", "Save it as UTF-8.")


_INVALID_UTF8 = re.compile("[\udc80-\udcff]")
_NON_ASCII = re.compile("[^\x00-\x7f]")
_CONTROL = re.compile("[\x80-\x9f]")


def guess_encodings(data: bytes) -> list[str]:
    """Encodings that make a plausible text of bytes that are not UTF-8, best first."""
    if b"\x1b$" in data:
        return ["iso2022-jp"]
    lines = (line for line in data.splitlines() if not line.isascii())
    sample = b"\n".join(_first(lines, size=_SAMPLE_BYTES))
    scores: dict[str, float] = {}
    for encoding in (*LANGUAGES, *COMMON_LEADS, *THAI):
        if not _can_decode(sample, encoding):
            continue
        text = sample.decode(encoding)
        if encoding in COMMON_LEADS:
            scores[encoding] = _double_byte_score(text, encoding=encoding)
        elif not _CONTROL.search(text):
            scores[encoding] = _letter_score(text, languages=(LANGUAGES | THAI)[encoding])
    plausible = [name for name, score in scores.items() if score >= _MIN_PLAUSIBLE]
    high = sum(byte >= 0x80 for byte in sample)
    short = _SHORT_BYTES / (_SHORT_BYTES + high)
    return sorted(
        plausible, key=lambda name: -round(scores[name] + short * FREQUENCY.get(name, 0), 3)
    )


def _first(lines: Iterable[bytes], *, size: int) -> list[bytes]:
    first: list[bytes] = []
    for line in lines:
        first.append(line[:size])
        size -= len(line)
        if size <= 0:
            break
    return first


def _decode_strictly(data: bytes, encoding: str) -> str:
    codec = _codec(encoding)
    if codec is None:
        raise BadRowError(
            f"cannot be decoded: there is no encoding {encoding!r}", "Correct library.encoding."
        )
    try:
        return data.decode(codec)
    except UnicodeError as error:
        byte = f" (byte {error.start + 1})" if isinstance(error, UnicodeDecodeError) else ""
        raise BadRowError(f"is not {encoding} text{byte}", _REMEDY) from error


def _can_decode(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def _codec(name: str) -> str | None:
    """Python's codec of a name; None if there is no text encoding of that name."""
    try:
        codec = codecs.lookup(name.strip()).name
        "".encode(codec)
    except (LookupError, ValueError):
        return None
    return _WINDOWS_NAMES.get(codec, codec)


_SYMBOLS = set("°±×÷§©®™“”„‘’‚‹›«»–—…•·¡¿½¼¾²³¹µ£€¥¢ªº†‡‰´№\u00a0")
_IN_WORDS = set("’‘´–—…·\u00a0")
"""Symbols that may stand between two letters."""

_NOT_BEFORE_LETTERS = set("½¼¾²³¹ªº£€¥¢°")
_OPENING = {"¿": "?", "¡": "!", "„": "", "‚": ""}
"""Symbols that begin a word, and what stands at the end of the sentence then."""

_MAX_SENTENCE = 300


def _letter_score(text: str, *, languages: Sequence[Language]) -> float:
    """Plausible fraction of the characters outside ASCII, for the language that fits best."""
    letters: Counter[str] = Counter()
    symbols = total = 0
    for match in _NON_ASCII.finditer(text):
        index, character = match.start(), match[0]
        before, after = text[index - 1 : index], text[index + 1 : index + 2]
        total += 1
        if character in _SYMBOLS:
            sentence = text[index : index + _MAX_SENTENCE]
            symbols += _symbol_fits(character, before=before, after=after) and (
                _OPENING.get(character, "") in sentence
            )
        elif _letter_fits(character, before=before, after=after):
            letters[character.lower()] += 1
    words = Counter(re.findall(r"[^\W\d_]{2,}", text.lower()))
    scores = []
    for language in languages:
        of_language = sum(n for letter, n in letters.items() if letter in language.letters)
        frequent = sum(words[word] for word in language.words) / max(1, sum(words.values()))
        # Frequent words decide between languages whose letters fit equally well.
        scores.append((of_language + symbols) / max(1, total) + min(0.12, frequent))
    return max(scores) - _strangeness(text, letters)


def _strangeness(text: str, letters: Counter[str]) -> float:
    """A penalty for scripts with vowels that lack them, and for texts in capitals."""
    total = letters.total()
    if not total or not all("\u0370" <= letter <= "\u04ff" for letter in letters):
        return 0
    vowels = sum(letters[vowel] for vowel in VOWELS) / total
    capitals = sum(map(str.isupper, text)) / max(1, sum(map(str.isalpha, text)))
    return max(0.0, MIN_VOWELS - vowels) + max(0.0, capitals - 0.5) / 5


def _symbol_fits(symbol: str, *, before: str, after: str) -> bool:
    if symbol in _OPENING:
        return after.isalnum() and not before.isalnum()
    if symbol in _NOT_BEFORE_LETTERS and after.isalpha():
        return symbol == "°" and after in "CFKRc" and not before.isalpha()
    return symbol in _IN_WORDS or symbol == "µ" or not (before.isalpha() and after.isalpha())


def _letter_fits(letter: str, *, before: str, after: str) -> bool:
    if (letter.isupper() and before.islower()) or (letter in FINAL and after.isalpha()):
        return False
    if "\u0370" <= letter <= "\u0fff" and any(c.isascii() and c.isalpha() for c in before + after):
        return False  # such as a Cyrillic letter in an English word
    if "\u0e00" <= letter <= "\u0e7f":
        return _thai_fits(letter, before=before, after=after)
    return True


def _thai_fits(letter: str, *, before: str, after: str) -> bool:
    """Whether a mark follows a consonant, and a vowel written first precedes one."""
    if letter == "\u0e31" or "\u0e34" <= letter <= "\u0e3a" or "\u0e47" <= letter <= "\u0e4e":
        return "\u0e01" <= before <= "\u0e2e" or "\u0e31" <= before <= "\u0e4e"
    return "\u0e01" <= after <= "\u0e2e" if "\u0e40" <= letter <= "\u0e44" else True


def _double_byte_score(text: str, *, encoding: str) -> float:
    """Fraction of frequent characters that do not stand alone in a Latin word."""
    rows, codec = COMMON_LEADS[encoding], "euc-jp" if encoding == "cp932" else encoding
    good = total = 0
    for match in _NON_ASCII.finditer(text):
        index, character = match.start(), match[0]
        around = text[index - 1 : index] + text[index + 1 : index + 2]
        total += 1
        code = character.encode(codec, "ignore")
        is_alone = all(c.isascii() for c in around) and any(c.isalpha() for c in around)
        good += (
            len(code) == 2
            and code[1] >= (0x40 if encoding == "cp950" else 0xA1)
            and any(first <= code[0] <= last for first, last in rows)
            and not is_alone
        )
    return good / max(1, total)
