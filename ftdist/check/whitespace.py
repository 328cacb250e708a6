"""Text of tokens with its blanks and control characters made visible."""

import re
import unicodedata

from ftdist.text.terminal import plain

_RUN = re.compile(r" {2,}| (?=\n)")


def visible(text: str) -> str:
    """A text in which line breaks, tabs, runs of blanks and control characters can be seen.

    A line break keeps its effect; a single blank stays a blank.
    """
    text = _RUN.sub(lambda match: "·" * len(match[0]), text)
    text = text.replace("\t", "→").replace("\n", "↵\n")
    shown = []
    for letter in text:
        if letter != "\n" and unicodedata.category(letter) == "Cc":
            shown.append(chr(0x2400 + ord(letter)) if ord(letter) < 0x20 else "␡")
        elif letter != " " and unicodedata.category(letter) in ("Zs", "Cf"):
            shown.append(f"<U+{ord(letter):04X}>")
        else:
            shown.append(letter)
    return plain("".join(shown))
