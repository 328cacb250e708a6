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
_REFERENCE = re.compile(r"(?<!\w)\[([^\[\]]+)\]\[[^\[\]]*\](?!\])")
_AUTOLINK = re.compile(r"<((?:https?|mailto|ftp):[^<>\s]+)>")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]*[^\s*])\*(?![\w*])")
_UNDERLINE = re.compile(r"(?<![\w_])_(?=[^\s_])([^_\n]*[^\s_])_(?![\w_])")
_MATH = re.compile(r"\$(?=\S)([^$\n]*[^\s$])\$(?!\d)")
_BREAK = re.compile(r"<br\s*/?>", re.I)
_RAISED = re.compile(r"<sup>\s*(.*?)\s*</sup>", re.I)
_TAG = re.compile(r"</?(?:b|i|u|em|strong|span|kbd|code|sub|small|mark|a|p)(?:\s[^<>]*)?>", re.I)
_LOWERED = re.compile(r"(?<=\w)~(\w{1,3})~")
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
    is_code = False
    for line in re.split(r"\r\n?|[\n\v\f\x1c-\x1e\x85\u2028\u2029]", text):
        if _FENCE.match(line):
            is_code = not is_code
        elif is_code:
            lines.append(line.translate(_SAME).rstrip())
        elif not _DIVIDER.match(line):
            lines.append(plain_line(line))
    return [line for line in lines if line.strip()]


def plain_line(line: str) -> str:
    """A line without quote mark, bullet, heading mark and emphasis; powers become `^6`."""
    bare = _BULLET.sub(r"\1", _QUOTE.sub("", line))
    heading = _HEADING.match(bare)
    return _inline(heading[1] if heading else bare).rstrip()


def words(text: str) -> str:
    """A text as one line of words: no Markdown, no pipes, single blanks."""
    joined = one_line(" ".join(plain_lines(text)))
    return _UNDERLINE.sub(r"\1", _EMPHASIS.sub(r"\1", _LINK.sub(r"\1", joined)))


def one_line(text: str) -> str:
    """Single blanks, none before a full stop or a comma, and no pipes."""
    return re.sub(r" +([.,;:!?)])(?= |$)", r"\1", " ".join(re.sub(r"[|\u00a6]", " ", text).split()))


def _inline(text: str) -> str:
    """A line without emphasis, links, escapes and entities."""
    text = _AUTOLINK.sub(r"\1", _BREAK.sub(" ", text.rstrip("\\")))
    text = _TAG.sub("", _RAISED.sub(r"^\1", text))
    text = _REFERENCE.sub(r"\1", _LINK.sub(r"\1", _LINK.sub(r"\1", text)))
    text = _LOWERED.sub(r"\1", _STRUCK.sub("", text))
    text = text.replace("**", "").replace("`", "").replace("==", "")
    text = re.sub(r"(?<!\w)__(?=\w)|(?<=[\w.:!?])__(?!\w)", "", text)
    text = _UNDERLINE.sub(r"\1", _EMPHASIS.sub(r"\1", _MATH.sub(r"\1", text)))
    text = text.replace("\\|", "\u00a6").replace("&#124;", "\u00a6")  # part of a cell
    text = html.unescape(_ESCAPE.sub(r"\1", text))
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"\{(\w+)\}(?=\^)", r"\1", text)
    text = _POWER.sub(lambda power: "^" + (power[1] or power[2] or power[3] or ""), text)
    return text.translate(_SAME)
