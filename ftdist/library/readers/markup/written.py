"""Writes as text what a page shows in another way: raised text, pictures, inputs, quotes."""

import re

from bs4 import BeautifulSoup, NavigableString, Tag

from ftdist.library.readers.inline import lowered, raised
from ftdist.library.readers.markup.tree import (
    ADMONITIONS,
    PICTURE,
    Notes,
    alive,
    attribute,
    classes,
    has_style,
    is_alive,
    is_block,
    is_text,
    preceding_text,
    spaced_text,
)

_RAISED = re.compile(
    r"(^|;)vertical-align:(super|text-top|(0?\.|[1-9])[\d.]*(px|pt|em|ex|rem|%))"
    r"|position:relative;(.*;)?top:-"
)
_LOWERED = re.compile(
    r"(^|;)vertical-align:(sub|text-bottom|-[\d.]+(px|pt|em|ex|rem|%))"
    r"|position:relative;(.*;)?bottom:-"
)
_NOTE_REFERENCE = re.compile(r"note|fn|cite|ref", re.IGNORECASE)
_NOTE_MARK = re.compile(
    r"[\[(]?(?:\d{1,3}|[a-z]|[*\u2020\u2021\u00a7]+|note \w+)[\])]?", re.IGNORECASE
)
_FILE_NAME = re.compile(r"[\w./-]+\.(png|jpe?g|gif|svg|webp|bmp)|image\d*|img[\w-]*", re.IGNORECASE)
_TINY = re.compile(r"[0-3](px)?")
_BUTTONS = ("submit", "button", "reset")
_PROSE = ["p", "li", "td", "th", "dd", "dt", "summary", "h1", "h2", "h3", "h4", "h5", "h6"]


def write_inputs(soup: BeautifulSoup, notes: Notes) -> None:
    """Boxes with and without a tick, the options of a choice within prose, labels of buttons."""
    for tag in alive(soup("input")):
        text = ""
        if attribute(tag, "type") == "checkbox":
            text = "[x] " if tag.get("checked") is not None else "[ ] "
        elif attribute(tag, "type") in _BUTTONS and preceding_text(tag).strip():
            text = str(tag.get("value") or "")
        tag.replace_with(NavigableString(text))
    for tag in alive(soup("select")):
        options = " / ".join(filter(None, map(spaced_text, tag("option"))))
        parent = tag.find_parent(_PROSE)
        if parent is not None and spaced_text(parent) != spaced_text(tag):
            tag.replace_with(NavigableString(options))
        else:
            notes.remove(tag, "form left out")
    for tag in alive(soup("textarea")):
        notes.remove(tag, "form left out")


def write_pictures(soup: BeautifulSoup, notes: Notes) -> None:
    """Pictures by their alternative text; a mark and a note where they have none."""
    for tag in alive(soup("img")):
        text = " ".join(str(tag.get("alt") or "").split())
        figure = tag.find_parent("figure")
        caption = figure.find("figcaption") if figure is not None else None
        note = tag.find_parent(class_=ADMONITIONS)
        is_icon = note is not None and text.strip("[]").lower() in spaced_text(note).lower()
        is_repeated = is_icon or (isinstance(caption, Tag) and text in spaced_text(caption))
        if (text and is_repeated) or (_is_link(tag) and not any(map(str.isalnum, text))):
            text = ""
        elif tag.get("alt") is None or _FILE_NAME.fullmatch(text):
            text = "" if _is_decoration(tag) else PICTURE
        if text == PICTURE:
            notes.add("picture left out", str(tag.get("src") or tag.get("title") or "picture"))
        tag.replace_with(NavigableString(f" {text} " if text else ""))


def _is_link(picture: Tag) -> bool:
    """Whether a picture only leads elsewhere, and neither to itself nor within a sentence."""
    link = picture.find_parent("a")
    if link is None or preceding_text(link).strip():
        return False
    return re.search(r"\.(png|jpe?g|gif|svg|webp)$", attribute(link, "href")) is None


def write_drawings(soup: BeautifulSoup, notes: Notes) -> None:
    """Drawings by their titles; a mark where they have words, or stand within a sentence."""
    for tag in alive(soup("svg")):
        title = tag.find("title", recursive=False)
        name = spaced_text(title) if isinstance(title, Tag) else str(tag.get("aria-label") or "")
        block = tag.find_parent(["p", "li", "td", "dd"])
        is_control = tag.find_parent(["a", "button", "summary"]) is not None
        in_sentence = block is not None and not is_control and preceding_text(tag).strip() != ""
        has_words = tag.find("text") is not None
        text = name or (PICTURE if has_words or in_sentence else "")
        if not name:
            notes.add("drawing left out", spaced_text(tag) or ("drawing" if text else ""))
        tag.replace_with(NavigableString(f" {text} " if text else ""))


def _is_decoration(tag: Tag) -> bool:
    is_tiny = any(_TINY.fullmatch(attribute(tag, name)) for name in ("width", "height"))
    return is_tiny or attribute(tag, "role") in ("presentation", "none")


def write_quotes(soup: BeautifulSoup, _notes: Notes) -> None:
    """Quotation marks, and readings of characters in brackets, which the browser adds."""
    for tag in alive(soup("q")):
        tag.insert(0, NavigableString('"'))
        tag.append(NavigableString('"'))
    for tag in alive(soup("rp")):
        tag.decompose()
    for tag in alive(soup("rt")):
        tag.replace_with(NavigableString(f"({spaced_text(tag)})"))


def write_raised(soup: BeautifulSoup, notes: Notes) -> None:
    """Raised and lowered text; marks of footnotes are left out."""
    for link in alive(soup(_is_note_link)):
        outer = link.parent if link.parent is not None and link.parent.name == "sup" else link
        if outer is not link and spaced_text(outer) != spaced_text(link):
            outer = link
        before = preceding_text(outer)[-20:]
        notes.add("footnote mark left out", f"{before}{raised(spaced_text(outer), before=before)}")
        outer.decompose()
    marks = _marks_of_notes(soup)
    for tag in reversed(soup(_is_script)):
        if not is_alive(tag):
            continue
        before, text = preceding_text(tag), " ".join(tag.get_text().split())
        if _is_lowered(tag):
            written = lowered(text, before=before)
        else:
            written = raised(text, before=before)
            if text in marks and _refers_to_note(before, text) and not _is_numerator(tag):
                notes.add("footnote mark left out", f"{before[-20:]}{written}")
                written = ""
        tag.replace_with(NavigableString(written))


def _is_script(tag: Tag) -> bool:
    return tag.name == "sup" or _is_lowered(tag) or _is_styled(tag, _RAISED, "superscript")


def _is_lowered(tag: Tag) -> bool:
    return tag.name == "sub" or _is_styled(tag, _LOWERED, "subscript")


def _is_styled(tag: Tag, pattern: re.Pattern[str], name: str) -> bool:
    """Whether an element in text is raised or lowered by its style or class."""
    if is_block(tag) or tag.name in ("img", "svg", "input"):
        return False
    return has_style(tag, pattern) or name in classes(tag)


def _is_note_link(tag: Tag) -> bool:
    """Whether a link is the mark of a footnote."""
    target = attribute(tag, "href")
    if tag.name != "a" or not _NOTE_MARK.fullmatch(spaced_text(tag)):
        return False
    if attribute(tag, "role") == "doc-noteref" or attribute(tag, "epub:type") == "noteref":
        return True
    in_script = tag.find_parent("sup") is not None or tag.find("sup") is not None
    names = [target.partition("#")[2], attribute(tag, "id"), *classes(tag)]
    is_named = any(map(_NOTE_REFERENCE.search, names))
    is_sign = spaced_text(tag)[0] in "*\u2020\u2021\u00a7"
    is_glued = preceding_text(tag)[-1:].strip() != ""
    return "#" in target and (in_script or (is_named and (is_sign or is_glued)))


def _is_numerator(tag: Tag) -> bool:
    """Whether the raised number is the upper one of a fraction."""
    after = tag.next_sibling
    return after is not None and str(after.get_text()).startswith(("/", "\u2044", "\u2215"))


def _marks_of_notes(soup: BeautifulSoup) -> set[str]:
    """The raised marks that begin a paragraph of their own, as the text of a footnote does."""
    marks = set()
    for tag in soup("sup"):
        after = tag.next_sibling
        text = str(after) if after is not None and is_text(after) else ""
        is_note = re.match(r"[\s)\].:]+\S|[A-Z][a-z]", text) is not None
        if is_note and not preceding_text(tag).strip():
            marks.add(spaced_text(tag))
    return marks


def _refers_to_note(before: str, mark: str) -> bool:
    """Whether a raised mark refers to the note of that mark, and is no power: 10², m²."""
    if not before.strip() or before[-1:].isspace():
        return bool(before.strip())
    word = re.search(r"[\w.,\u00b5]+$", before)
    if word is None:
        return True
    if word[0].isdigit():
        return word[0] not in ("10", "2") or mark == "1"
    return not mark.isdigit() or len(word[0]) > 2
