"""The text that a reader made, without what only Markdown adds, so that words can be compared."""

import html
import re
import unicodedata

_FENCE = re.compile(r"^\s*(?:```|~~~).*$")
_DIVIDER = re.compile(r"^[\s|:+=-]*(?:--|==)[\s|:+=-]*$")
_QUOTE = re.compile(r"^(?:\s*>)+ ?")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*$")
_BULLET = re.compile(r"^(\s*)[-*+\u2022\u25cf\u25aa\u25e6\u00b7\uf0b7]\s+(?=[^\s\d])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:<[^>]*>|(?:[^()\s]|\([^()]*\))*)(?:\s+\"[^\"]*\")?\)")
_AUTOLINK = re.compile(r"<((?:https?|mailto|ftp):[^<>\s]+)>")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]*[^\s*])\*(?![\w*])")
_UNDERLINE = re.compile(r"(?<![\w_])_(?=[^\s_])([^_\n]*[^\s_])_(?![\w_])")
_BREAK = re.compile(r"<br\s*/?>", re.I)
_RAISED = re.compile(r"<sup>\s*(.*?)\s*</sup>", re.I)
_TAG = re.compile(r"</?(?:b|i|u|em|strong|span|kbd|code|sub|small|mark|a|p)(?:\s[^<>]*)?>", re.I)
_POWER = re.compile(r"\^(?:\{([^{}]*)\}|\(([^()]*)\)|([+-]?[\w]+)\^)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ]+")
_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
        **dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f\u2002\u2003\u3000", " "),
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
        "\u2044": "/",
        "\u2026": "...",
        "\u00b5": "\u03bc",
        **{chr(0x2080 + digit): str(digit) for digit in range(10)},
        **{chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)},
    }
)


def plain_lines(text: str) -> list[str]:
    """The lines of a text with their indentation: no Markdown, no blank lines, no fences.

    Pipes of tables stay: see `words` and `benchmarks.readers.tables`.
    """
    lines = []
    for line in re.split(r"\r\n?|[\n\v\f\x1c-\x1e\x85\u2028\u2029]", text):
        if not line.strip() or _FENCE.match(line) or _DIVIDER.match(line):
            continue
        bare = _BULLET.sub(r"\1", _QUOTE.sub("", line))
        heading = _HEADING.match(bare)
        bare = _inline(heading[1] if heading else bare)
        if bare.strip():
            lines.append(bare.rstrip())
    return lines


def words(text: str) -> str:
    """A text as one line of words: no Markdown, no pipes, single blanks."""
    return one_line(" ".join(plain_lines(text)))


def one_line(text: str) -> str:
    """Single blanks, and no pipes."""
    return " ".join(text.replace("|", " ").split())


def _inline(text: str) -> str:
    """A line without emphasis, links, escapes and entities; powers become `^6`."""
    text = _AUTOLINK.sub(r"\1", _BREAK.sub(" ", text))
    text = _TAG.sub("", _RAISED.sub(r"^\1", text))
    text = _LINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = _STRUCK.sub("", text).replace("**", "").replace("`", "")
    text = re.sub(r"(?<!\w)__(?=\w)|(?<=[\w.:!?])__(?!\w)", "", text)
    text = _UNDERLINE.sub(r"\1", _EMPHASIS.sub(r"\1", text))
    text = html.unescape(_ESCAPE.sub(r"\1", text))
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
    text = _POWER.sub(lambda power: "^" + (power[1] or power[2] or power[3] or ""), text)
    return text.translate(_SAME)
