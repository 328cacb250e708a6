"""EPUB and OpenDocument: archives of XML."""

import random
from pathlib import Path

import pytest

from ftdist.library.readers import MAX_DOCUMENT, read_document
from ftdist.library.schema import Block, Document
from tests.support.documents.zipped import (
    made_zip,
    read_zipped,
    reason_of,
    rows_of,
    texts_of,
)

TOO_LARGE = random.Random(0).randbytes(2**20) * (1 + MAX_DOCUMENT // 2**20)

# EPUB


def _epub(path: Path, **more: str) -> Path:
    chapter = (
        "<?xml version='1.0' encoding='utf-8'?>\n<!DOCTYPE html>\n"
        f"<!--{' ' * 500}--><html xmlns='http://www.w3.org/1999/xhtml'><body>{{}}</body></html>"
    )
    parts = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": "<container xmlns='c'><rootfiles>"
        "<rootfile full-path='OEBPS/a.opf'/></rootfiles></container>",
        "OEBPS/a.opf": "<package xmlns='http://www.idpf.org/2007/opf'>"
        "<metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>Lamp L-1</dc:title>"
        "</metadata><manifest>"
        "<item id='n' href='nav.xhtml' media-type='application/xhtml+xml' properties='nav'/>"
        "<item id='b' href='text/two%20b.xhtml' media-type='application/xhtml+xml'/>"
        "<item id='a' href='text/one.xhtml#start' media-type='application/xhtml+xml'/>"
        "<item id='a2' href='text/one.xhtml#end' media-type='application/xhtml+xml'/>"
        "<item id='g' href='gone.xhtml' media-type='application/xhtml+xml'/>"
        "<item id='p' href='p.png' media-type='image/png'/></manifest>"
        "<spine><itemref idref='n'/><itemref idref='a'/><itemref idref='a2'/>"
        "<itemref idref='b'/><itemref idref='g'/></spine></package>",
        "OEBPS/nav.xhtml": chapter.format("<p>Contents</p>"),
        "OEBPS/text/one.xhtml": chapter.format("<h1>Reset</h1><p>Hold it.</p>"),
        "OEBPS/text/two b.xhtml": chapter.format("<h1>Store</h1><p>Keep it dry.</p>"),
    }
    return made_zip(path, {**parts, **more})


def test_chapters_of_a_book_come_in_its_order_each_once(tmp_path: Path) -> None:
    document = read_zipped(_epub(tmp_path / "a.epub"), "epub")
    assert document.title == "Lamp L-1"
    assert texts_of(document) == [
        ("heading", "Reset"),
        ("paragraph", "Hold it."),
        ("heading", "Store"),
        ("paragraph", "Keep it dry."),
    ]
    assert [(note.rule, note.excerpt) for note in document.notes] == [
        ("missing chapter left out", "OEBPS/gone.xhtml")
    ]


@pytest.mark.parametrize(
    ("method", "is_read"),
    [("http://www.idpf.org/2008/embedding", True), ("http://ns.adobe.com/adept/x", False)],
)
def test_protected_books_are_rejected_and_protected_fonts_are_not(
    tmp_path: Path, method: str, is_read: bool
) -> None:
    encryption = f"<encryption><EncryptionMethod Algorithm='{method}'/></encryption>"
    path = _epub(tmp_path / "a.epub", **{"META-INF/encryption.xml": encryption})
    document = read_document(path, name="a", kind="epub")
    assert isinstance(document, Document) == is_read
    assert is_read or reason_of(path, "epub") == "is protected by DRM"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"META-INF/container.xml": "<x/>"}, "is damaged: its container names no book"),
        ({"META-INF/container.xml": "<x"}, "is not well-formed XML ("),
        ({"a": "x"}, "is damaged: META-INF/container.xml is missing"),
        (
            {"META-INF/container.xml": TOO_LARGE},
            "holds more than 64 MiB",
        ),
    ],
)
def test_damaged_and_too_large_books_are_rejected(
    tmp_path: Path, parts: dict[str, str | bytes], reason: str
) -> None:
    assert reason_of(made_zip(tmp_path / "a.epub", parts), "epub").startswith(reason)


# OpenDocument

_NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "style", "draw", "presentation")
)
_STYLES = (
    '<style:style style:name="Up"><style:text-properties style:text-position="super 58%"/>'
    '</style:style><style:style style:name="Gone"><style:text-properties text:display="none"/>'
    '</style:style><style:style style:name="Cut"><style:text-properties '
    'style:text-line-through-style="solid"/></style:style>'
    '<style:style style:name="P1" style:parent-style-name="Title"/>'
    '<style:style style:name="P2" style:parent-style-name="Preformatted_20_Text"/>'
    '<style:style style:name="Preformatted_20_Text" style:display-name="Preformatted Text"/>'
    '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" '
    'style:num-format="1"/><text:list-level-style-number text:level="2" style:num-format="a"/>'
    "</text:list-style>"
    '<text:list-style style:name="L2"><text:list-level-style-number text:level="1" '
    'style:num-format="1" text:start-value="4"/></text:list-style>'
)


def _odf(path: Path, body: str, *, what: str = "text") -> Path:
    content = (
        f"<office:document-content {_NAMES}><office:automatic-styles>{_STYLES}"
        f"</office:automatic-styles><office:body><office:{what}>{body}</office:{what}>"
        "</office:body></office:document-content>"
    )
    return made_zip(path, {"META-INF/manifest.xml": "<m/>", "content.xml": content})


def test_a_list_begins_with_the_first_number_of_its_style(tmp_path: Path) -> None:
    items = "".join(
        f"<text:list-item><text:p>{each}</text:p></text:list-item>" for each in ("Shut it.", "Go.")
    )
    body = f'<text:list text:style-name="L2">{items}</text:list>'
    assert texts_of(read_zipped(_odf(tmp_path / "a.odt", body), "odf")) == [
        ("item", "4. Shut it."),
        ("item", "5. Go."),
    ]


def test_text_document_keeps_headings_numbers_listings_and_notes(tmp_path: Path) -> None:
    body = (
        '<text:p text:style-name="P1">Lamp</text:p><text:h text:outline-level="2">Reset</text:h>'
        '<text:p>10<text:span text:style-name="Up">6</text:span> m'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>About."
        "</text:p></text:note-body></text:note><text:line-break/>below</text:p>"
        '<text:list text:style-name="L1"><text:list-item><text:p>Close it.</text:p><text:list>'
        "<text:list-item><text:p>Left.</text:p></text:list-item></text:list></text:list-item>"
        '<text:list-item text:start-value="2"><text:p>Open it.</text:p></text:list-item>'
        "</text:list>"
        '<text:p text:style-name="P2">lamp<text:s text:c="3"/>off</text:p>'
        '<text:p text:style-name="P2">lamp on</text:p>'
    )
    assert texts_of(read_zipped(_odf(tmp_path / "a.odt", body), "odf")) == [
        ("heading", "Lamp"),
        ("heading", "Reset"),
        ("paragraph", "10\u2076 m [About.]\nbelow"),
        ("item", "1. Close it."),
        ("item", "a. Left."),
        ("item", "2. Open it."),
        ("code", "lamp   off\nlamp on"),
    ]


def test_hidden_and_deleted_text_is_left_out(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        '<text:p>Use <text:span text:style-name="Cut">8080</text:span>9090.</text:p>'
        '<text:p text:style-name="Gone">margin</text:p>'
        "<text:p>Text<office:annotation><text:p>why?</text:p></office:annotation>.</text:p>"
    )
    document = read_zipped(_odf(tmp_path / "a.odt", body), "odf")
    assert texts_of(document) == [("paragraph", "Use 9090."), ("paragraph", "Text.")]
    assert [(note.rule, note.count) for note in document.notes] == [("hidden text left out", 2)]


def test_sheets_show_their_texts_spans_and_repeated_cells(tmp_path: Path) -> None:
    def cell(text: str, more: str = "", count: int = 1) -> str:
        attribute = f'table:number-{more}="{count}"' if more else ""
        return f"<table:table-cell {attribute}><text:p>{text}</text:p></table:table-cell>"

    body = (
        '<table:table table:name="Torques"><table:table-header-rows><table:table-row>'
        f"{cell('Model')}{cell('Part')}{cell('Nm')}</table:table-row></table:table-header-rows>"
        f"<table:table-row>{cell('P-9', 'rows-spanned', 2)}{cell('Cap')}{cell('25')}"
        "</table:table-row><table:table-row><table:covered-table-cell/>"
        f"{cell('8', 'columns-repeated', 2)}</table:table-row>"
        f'<table:table-row table:visibility="collapse">{cell("old")}</table:table-row>'
        '<table:table-row table:number-rows-repeated="1048570"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row></table:table>'
    )
    document = read_zipped(_odf(tmp_path / "a.ods", body, what="spreadsheet"), "odf")
    assert rows_of(document) == [(("Model", "Part", "Nm"), ("P-9", "Cap", "25"), ("P-9", "8", "8"))]
    assert document.blocks[0] == Block(kind="heading", text="Torques", level=2)
    assert [note.rule for note in document.notes] == ["hidden row left out"]


def test_slides_of_open_document_have_titles(tmp_path: Path) -> None:
    def frame(kind: str, text: str) -> str:
        box = f"<draw:text-box><text:p>{text}</text:p></draw:text-box>"
        return f'<draw:frame presentation:class="{kind}">{box}</draw:frame>'

    body = f"<draw:page>{frame('outline', 'Hold it.')}{frame('title', 'Reset')}</draw:page>"
    document = read_zipped(_odf(tmp_path / "a.odp", body, what="presentation"), "odf")
    assert texts_of(document) == [("heading", "Reset"), ("paragraph", "Hold it.")]


def test_encrypted_open_document_is_rejected(tmp_path: Path) -> None:
    path = made_zip(tmp_path / "a.odt", {"META-INF/manifest.xml": "<x><encryption-data/></x>"})
    assert reason_of(path, "odf") == "is encrypted"
