"""What renderers of Markdown add to CommonMark: comments and code of MDX, admonitions, tabs."""

import re
from textwrap import dedent

from ftdist.library.schema import Note

_CODE = (
    r"(?P<code>^[ >]*(?P<fence>`{3,}|~{3,})[\s\S]*?(?:^[ >]*(?P=fence)|\Z)"
    r"|(?P<tick>`+)[^`\n]+(?P=tick))"
)
_MDX = re.compile(
    _CODE + r"|(?P<comment>\{/\*[\s\S]*?\*/\})"
    r"|^import\s(?:[\w*{},\s]*?\sfrom\s+)?['\"][^'\"\n]+['\"];?[ \t]*$"
    r"|^export\s+(?:(?:const|let|var)\s+\w+\s*=|(?:default\s+)?(?:async\s+)?(?:function|class)\s"
    r"|default\s+[({])[\s\S]*?(?=\n[ \t]*\n|\Z)"
    r"|^[ \t]*(?:\[TOC\]|\[\[_TOC_\]\]|\{%[^\n]*%\}|\{\{[<%][^\n]*[>%]\}\})[ \t]*$",
    re.MULTILINE,
)
_COLONS = re.compile(
    _CODE + r"|^[ \t]*:{3,}[ \t]*(?P<kind>[A-Za-z][\w-]*)?[ \t]*\[?(?P<title>[^\]\n{]*)\]?.*$",
    re.MULTILINE,
)
_MARKED = re.compile(
    _CODE + r"|^(?P<mark>!!!|\?\?\?\+?|===)[ \t]+(?P<kind>[A-Za-z][\w -]*)?[ \t]*"
    r'(?:"(?P<title>[^"\n]*)")?[ \t]*\n(?P<body>(?:[ \t]*\n|(?: {4}|\t).*(?:\n|\Z))*)',
    re.MULTILINE,
)


def without_mdx(text: str) -> tuple[str, tuple[Note, ...]]:
    """A text without comments and code of MDX and tags of templates, and notes of comments."""
    notes: list[Note] = []

    def remove(match: re.Match[str]) -> str:
        if match["code"] is not None:
            return match[0]
        if match["comment"] is not None:
            notes.append(Note(rule="comment left out", excerpt=match[0][3:-3].strip()[:200]))
        return ""

    return _MDX.sub(remove, text), tuple(notes)


def plain_admonitions(text: str) -> str:
    """A text in which admonitions and tabs are paragraphs below their titles.

    Those of Docusaurus stand between lines of colons, those of MkDocs are indented.
    """
    return _MARKED.sub(_from_indented, _COLONS.sub(_from_colons, text))


def _from_colons(match: re.Match[str]) -> str:
    if match["code"] is not None:
        return match[0]
    return _title(match["title"].strip() or (match["kind"] or "").capitalize())


def _from_indented(match: re.Match[str]) -> str:
    if match["code"] is not None or not (match["kind"] or match["title"]):
        return match[0]
    title = match["title"] if match["title"] is not None else match["kind"].strip().capitalize()
    return _title(title) + plain_admonitions(dedent(match["body"])) + "\n"


def _title(text: str) -> str:
    return f"\n**{text}**\n\n" if text else "\n"
