"""EPUB, OpenDocument and PowerPoint: archives of XML."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftdist.library.readers import MAX_DOCUMENT, read_document
from ftdist.library.schema import BadRow, Block, Document

Read = list[tuple[str, str]]


def _zip(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content, compresslevel=1)
    return path


def _document(path: Path, kind: str) -> Document:
    document = read_document(path, name=path.name, kind=kind)
    assert isinstance(document, Document), document
    return document


def _bad(path: Path, kind: str) -> str:
    bad = read_document(path, name=path.name, kind=kind)
    assert isinstance(bad, BadRow)
    return bad.reason


def _texts(document: Document) -> Read:
    return [(block.kind, f"{block.marker} {block.text}".strip()) for block in document.blocks]


def _rows(document: Document) -> list[tuple[tuple[str, ...], ...]]:
    return [block.rows for block in document.blocks if block.kind == "table"]


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
    return _zip(path, {**parts, **more})


def test_chapters_of_a_book_come_in_its_order_each_once(tmp_path: Path) -> None:
    document = _document(_epub(tmp_path / "a.epub"), "epub")
    assert document.title == "Lamp L-1"
    assert _texts(document) == [
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
    assert is_read or _bad(path, "epub") == "is protected by DRM"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"META-INF/container.xml": "<x/>"}, "is damaged: its container names no book"),
        ({"META-INF/container.xml": "<x"}, "is not well-formed XML ("),
        ({"a": "x"}, "is damaged: META-INF/container.xml is missing"),
        ({"META-INF/container.xml": b"<x>" + bytes(MAX_DOCUMENT)}, "holds more than 64 MiB"),
    ],
)
def test_damaged_and_too_large_books_are_rejected(
    tmp_path: Path, parts: dict[str, str | bytes], reason: str
) -> None:
    assert _bad(_zip(tmp_path / "a.epub", parts), "epub").startswith(reason)


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
    return _zip(path, {"META-INF/manifest.xml": "<m/>", "content.xml": content})


def test_a_list_begins_with_the_first_number_of_its_style(tmp_path: Path) -> None:
    items = "".join(
        f"<text:list-item><text:p>{each}</text:p></text:list-item>" for each in ("Shut it.", "Go.")
    )
    body = f'<text:list text:style-name="L2">{items}</text:list>'
    assert _texts(_document(_odf(tmp_path / "a.odt", body), "odf")) == [
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
    assert _texts(_document(_odf(tmp_path / "a.odt", body), "odf")) == [
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
    document = _document(_odf(tmp_path / "a.odt", body), "odf")
    assert _texts(document) == [("paragraph", "Use 9090."), ("paragraph", "Text.")]
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
    document = _document(_odf(tmp_path / "a.ods", body, what="spreadsheet"), "odf")
    assert _rows(document) == [(("Model", "Part", "Nm"), ("P-9", "Cap", "25"), ("P-9", "8", "8"))]
    assert document.blocks[0] == Block(kind="heading", text="Torques", level=2)
    assert [note.rule for note in document.notes] == ["hidden row left out"]


def test_slides_of_open_document_have_titles(tmp_path: Path) -> None:
    def frame(kind: str, text: str) -> str:
        box = f"<draw:text-box><text:p>{text}</text:p></draw:text-box>"
        return f'<draw:frame presentation:class="{kind}">{box}</draw:frame>'

    body = f"<draw:page>{frame('outline', 'Hold it.')}{frame('title', 'Reset')}</draw:page>"
    document = _document(_odf(tmp_path / "a.odp", body, what="presentation"), "odf")
    assert _texts(document) == [("heading", "Reset"), ("paragraph", "Hold it.")]


def test_encrypted_open_document_is_rejected(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.odt", {"META-INF/manifest.xml": "<x><encryption-data/></x>"})
    assert _bad(path, "odf") == "is encrypted"


# PowerPoint

_P = "xmlns:p='p' xmlns:a='a' xmlns:r='r'"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"


def _shape(text: str, *, kind: str | None = None, top: int | None = None) -> str:
    ph = "" if kind is None else f"<p:ph type='{kind}'/>" if kind else "<p:ph idx='1'/>"
    off = "" if top is None else f"<a:xfrm><a:off x='0' y='{top}'/></a:xfrm>"
    return (
        f"<p:sp><p:nvSpPr><p:cNvPr id='1' name='x'/><p:nvPr>{ph}</p:nvPr></p:nvSpPr>"
        f"<p:spPr>{off}</p:spPr><p:txBody>{text}</p:txBody></p:sp>"
    )


def _para(text: str, properties: str = "") -> str:
    return f"<a:p><a:pPr {properties}/><a:r><a:t>{text}</a:t></a:r></a:p>"


def _pptx(path: Path, slides: list[str], **more: str) -> Path:
    ids = "".join(f"<p:sldId id='{n}' r:id='r{n}'/>" for n in range(len(slides)))
    relations = "".join(
        f"<Relationship Id='r{n}' Type='{_REL}slide' Target='slides/s{n}.xml'/>"
        for n in range(len(slides))
    )
    parts = {
        "ppt/presentation.xml": f"<p:p {_P}><p:sldIdLst>{ids}</p:sldIdLst></p:p>",
        "ppt/_rels/presentation.xml.rels": f"<Relationships>{relations}</Relationships>",
        **{f"ppt/slides/s{n}.xml": slide for n, slide in enumerate(slides)},
    }
    return _zip(path, {**parts, **more})


def test_slides_have_titles_text_from_top_to_bottom_and_notes(tmp_path: Path) -> None:
    body = _para("Hold it.") + _para("Nine seconds.", "lvl='1'")
    first = (
        f"<p:sld {_P}>{_shape(_para('below'), top=900)}{_shape(_para('above'), top=100)}"
        f"{_shape(_para('3'), kind='sldNum', top=950)}{_shape(body, kind='')}"
        f"{_shape(_para('Reset'), kind='title')}</p:sld>"
    )
    hidden = f"<p:sld {_P} show='0'>{_shape(_para('Old'), top=1)}</p:sld>"
    last = f"<p:sld {_P}>{_shape(_para('Store it dry.'), top=1)}</p:sld>"
    relation = f"<Relationship Id='n' Type='{_REL}notesSlide' Target='../n.xml'/>"
    notes = f"<Relationships>{relation}</Relationships>"
    more = {
        "ppt/slides/_rels/s0.xml.rels": notes,
        "ppt/n.xml": f"<p:notes {_P}>{_shape(_para('Unplug it first.'), kind='body')}</p:notes>",
    }
    document = _document(_pptx(tmp_path / "a.pptx", [first, hidden, last], **more), "pptx")
    assert [(b.kind, b.text, b.level, b.page) for b in document.blocks] == [
        ("heading", "Reset", 2, 1),
        ("item", "Hold it.", 1, 1),
        ("item", "Nine seconds.", 2, 1),
        ("paragraph", "above", 0, 1),
        ("paragraph", "below", 0, 1),
        ("paragraph", "Unplug it first.", 0, 1),
        ("paragraph", "Store it dry.", 0, 3),
    ]
    assert [(note.rule, note.count) for note in document.notes] == [("hidden slide left out", 1)]


def test_tables_breaks_numbers_and_raised_text_of_slides_are_kept(tmp_path: Path) -> None:
    def cell(text: str, more: str = "x", value: int = 1) -> str:
        return f"<a:tc {more}='{value}'><a:txBody>{_para(text)}</a:txBody></a:tc>"

    table = (
        "<p:graphicFrame><p:xfrm><a:off x='0' y='5'/></p:xfrm><a:tbl><a:tblPr firstRow='1'/>"
        f"<a:tr>{cell('Model')}{cell('Part')}</a:tr>"
        f"<a:tr>{cell('P-9', 'rowSpan', 2)}{cell('Cap')}</a:tr>"
        f"<a:tr>{cell('', 'vMerge')}{cell('Lid')}</a:tr></a:tbl></p:graphicFrame>"
    )
    text = (
        "<a:p><a:r><a:t>10</a:t></a:r><a:r><a:rPr baseline='30000'/><a:t>6</a:t></a:r><a:br/>"
        "<a:r><a:t>m</a:t></a:r></a:p>"
        "<a:p><a:pPr><a:buAutoNum type='arabicPeriod'/></a:pPr><a:r><a:t>Wait.</a:t></a:r></a:p>"
    )
    slide = f"<p:sld {_P}>{table}{_shape(text, top=1)}</p:sld>"
    document = _document(_pptx(tmp_path / "a.pptx", [slide]), "pptx")
    assert _texts(document)[:2] == [("paragraph", "10\u2076\nm"), ("item", "1. Wait.")]
    assert _rows(document) == [(("Model", "Part"), ("P-9", "Cap"), ("P-9", "Lid"))]
