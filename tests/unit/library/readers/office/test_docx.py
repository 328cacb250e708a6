"""Word documents as a reader of them sees them."""

import zipfile
from pathlib import Path

import pytest

from ftdist.library.readers import MAX_DOCUMENT, read_document
from ftdist.library.readers.office.docx import read_docx
from ftdist.library.schema import BadRow, Document
from tests.support.documents.blocks import brief
from tests.support.documents.word import paragraph, run, style, write_docx

HEADING = style("berschrift1", "heading 1")
BREAK = "<w:r><w:br/></w:r>"


def read(tmp_path: Path, body: str, **parts: str) -> Document:
    document = read_docx(write_docx(tmp_path / "lamp.docx", body, **parts), name="lamp.docx")
    assert isinstance(document, Document), document
    return document


def briefs(tmp_path: Path, body: str, **parts: str) -> list[str]:
    return [brief(block) for block in read(tmp_path, body, **parts).blocks]


@pytest.mark.parametrize(
    ("styles", "body", "title"),
    [
        (
            style("Titel", "Title") + HEADING,
            paragraph("Lamp L-3", style="Titel") + paragraph("Safety", style="berschrift1"),
            "Lamp L-3",
        ),
        (
            style("Base", "Title") + style("Mine", "My title", inner='<w:basedOn w:val="Base"/>'),
            paragraph(run("Lamp") + BREAK + run("L-3"), style="Mine"),
            "Lamp L-3",
        ),
        (HEADING, paragraph("Safety", style="berschrift1"), "Safety"),
        (
            HEADING,
            paragraph("A", style="berschrift1") + paragraph("B", style="berschrift1"),
            "Core",
        ),
        ("", "", "Core"),
    ],
)
def test_the_title_is_the_one_that_a_reader_sees_first(
    tmp_path: Path, styles: str, body: str, title: str
) -> None:
    text = body + paragraph("Text.")
    assert read(tmp_path, text, styles=styles, core_title="Core").title == title


def test_a_document_without_any_title_is_called_by_its_file(tmp_path: Path) -> None:
    assert read(tmp_path, paragraph("Text.")).title == "lamp"


@pytest.mark.parametrize(
    "styles",
    [
        style("X", "heading 2"),
        style("X", "\u00dcberschrift", inner='<w:pPr><w:outlineLvl w:val="1"/></w:pPr>'),
        style("B", "Heading 2") + style("X", "Mine", inner='<w:basedOn w:val="B"/>'),
    ],
)
def test_headings_are_known_by_name_base_or_outline(tmp_path: Path, styles: str) -> None:
    body = paragraph(run("Reset") + BREAK + run("now"), style="X") + paragraph("Text.")
    [heading, _] = read(tmp_path, body, styles=styles).blocks
    assert (heading.kind, heading.level, heading.text) == ("heading", 2, "Reset now")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (run("Fuse F1") + BREAK + run("2 A"), "Fuse F1\n2 A"),
        (run("Fuse F1") + "<w:r><w:cr/></w:r>" + run("2 A"), "Fuse F1\n2 A"),
        (run("Dial") + '<w:r><w:br w:type="page"/></w:r>' + run("4"), "Dial\n4"),
        (run("Fuse") + "<w:r><w:tab/></w:r>" + run("2 A"), "Fuse 2 A"),
        (run("10") + run("6", properties='<w:vertAlign w:val="superscript"/>'), "10⁶"),
        (run("10") + run("6", properties='<w:position w:val="6"/>'), "10⁶"),
        (run("10") + run("6", properties='<w:rStyle w:val="Up"/>'), "10⁶"),
        (run("H") + run("2", properties='<w:vertAlign w:val="subscript"/>') + run("O"), "H₂O"),
        (f'<w:fldSimple w:instr="SEQ Figure">{run("Figure 7")}</w:fldSimple>', "Figure 7"),
        (f"<w:bdo w:val='ltr'>{run('Hold it.')}</w:bdo>", "Hold it."),
        (f"<w:ins>{run('Hold it.')}</w:ins>", "Hold it."),
    ],
)
def test_breaks_raised_text_and_fields_are_read(tmp_path: Path, content: str, text: str) -> None:
    up = '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
    styles = style("Up", "Exponent", inner=up, kind="character")
    assert briefs(tmp_path, paragraph(content), styles=styles) == [f"paragraph: {text}"]


@pytest.mark.parametrize(
    ("hidden", "rule"),
    [
        (run("Draft", properties="<w:vanish/>") + run(" 12", properties="<w:vanish/>"), "hidden"),
        (run("Draft 12", properties='<w:rStyle w:val="Off"/>'), "hidden"),
        (run("Draft 12", properties="<w:strike/>"), "struck"),
        (run("Draft 12", properties="<w:dstrike/>"), "struck"),
        ("<w:del><w:r><w:delText>Draft 12</w:delText></w:r></w:del>", "struck"),
    ],
)
def test_hidden_struck_and_deleted_text_is_left_out_and_noted(
    tmp_path: Path, hidden: str, rule: str
) -> None:
    styles = style("Off", "Internal", inner="<w:rPr><w:vanish/></w:rPr>", kind="character")
    document = read(tmp_path, paragraph(run("Hold it.") + hidden), styles=styles)
    assert [brief(block) for block in document.blocks] == ["paragraph: Hold it."]
    assert [(n.rule, n.excerpt) for n in document.notes] == [(f"{rule} text left out", "Draft 12")]


def test_text_that_is_switched_back_on_is_read(tmp_path: Path) -> None:
    content = run("Hold it.", properties='<w:vanish w:val="0"/><w:strike w:val="false"/>')
    assert briefs(tmp_path, paragraph(content)) == ["paragraph: Hold it."]


def levels(*formats: tuple[str, str, int]) -> str:
    return "".join(
        f'<w:lvl w:ilvl="{n}"><w:start w:val="{start}"/><w:numFmt w:val="{kind}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for n, (kind, text, start) in enumerate(formats)
    )


def item(text: str, *, number: int = 1, level: int = 0) -> str:
    listed = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return paragraph(text, properties=listed)


def test_items_have_the_numbers_that_word_shows(tmp_path: Path) -> None:
    three = levels(("decimal", "%1.", 3), ("lowerLetter", "%2)", 1), ("decimal", "%1.%2.%3", 1))
    numbering = (
        f'<w:abstractNum w:abstractNumId="7">{three}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="7"/>'
        '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>'
    )
    body = (
        item("a") + item("b", level=1) + item("c", level=1) + item("d", level=2) + paragraph("e")
        + item("f") + item("g", level=1) + item("h", number=2) + item("i", number=2)
    )  # fmt: skip
    document = read(tmp_path, body, numbering=numbering)
    assert [(block.marker, block.text) for block in document.blocks] == [
        *(("3.", "a"), ("a)", "b"), ("b)", "c"), ("3.b.1", "d"), ("", "e")),
        *(("4.", "f"), ("a)", "g"), ("1.", "h"), ("2.", "i")),
    ]


def test_headings_have_the_numbers_of_their_style(tmp_path: Path) -> None:
    numbered = '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
    numbering = (
        f'<w:abstractNum w:abstractNumId="0">{levels(("upperRoman", "%1.", 1))}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    body = paragraph("Start", style="H") + paragraph("x") + paragraph("Reset", style="H")
    styles = style("H", "heading 1", inner=numbered)
    assert briefs(tmp_path, body, styles=styles, numbering=numbering) == [
        "heading: I. Start",
        "paragraph: x",
        "heading: II. Reset",
    ]


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def test_merged_cells_stand_in_each_row_and_column(tmp_path: Path) -> None:
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    table = (
        row(cell("Model"), cell("Part"), cell("Nm"), properties="<w:tblHeader/>")
        + row(cell("P-9", down), cell("Screw"), cell("12"))
        + row(cell("", on), cell("Both", '<w:gridSpan w:val="2"/>'))
        + row(cell("Plug"), cell("25"), properties='<w:gridBefore w:val="1"/>')
    )
    assert briefs(tmp_path, f"<w:tbl>{table}</w:tbl>") == [
        "table: # Model | Part | Nm // P-9 | Screw | 12 // P-9 | Both | Both //  | Plug | 25"
    ]


def test_a_row_into_which_a_header_reaches_is_part_of_the_header(tmp_path: Path) -> None:
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    table = (
        row(
            cell("Gear", down),
            cell("Speed", '<w:gridSpan w:val="2"/>'),
            properties="<w:tblHeader/>",
        )
        + row(cell("", on), cell("low"), cell("high"))
        + row(cell("First"), cell("40"), cell("90"))
    )
    assert briefs(tmp_path, f"<w:tbl>{table}</w:tbl>") == [
        "table: # Gear | Speed low | Speed high // First | 40 | 90"
    ]


def test_a_first_row_that_the_table_s_style_sets_apart_is_the_header(tmp_path: Path) -> None:
    look = '<w:tblPr><w:tblStyle w:val="T"/><w:tblLook w:firstRow="1"/></w:tblPr>'
    table = f"<w:tbl>{look}{row(cell('A'), cell('B'))}{row(cell('1'), cell('2'))}</w:tbl>"
    styles = style("T", "Grid", inner='<w:tblStylePr w:type="firstRow"/>', kind="table")
    assert briefs(tmp_path, table, styles=styles) == ["table: # A | B // 1 | 2"]
    assert briefs(tmp_path, table) == ["table: A | B // 1 | 2"]


def equation(inner: str) -> str:
    return f"<m:oMath>{inner}</m:oMath>"


def part(name: str, text: str) -> str:
    return f"<m:{name}><m:r><m:t>{text}</m:t></m:r></m:{name}>"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (f"<m:f>{part('num', '1')}{part('den', '2')}</m:f>", "1/2"),
        (f"<m:sSup>{part('e', '10')}{part('sup', '-6')}</m:sSup>", "10⁻⁶"),
        (f"<m:sSub>{part('e', 'U')}{part('sub', '1')}</m:sSub>", "U₁"),
        (f"<m:rad><m:deg/>{part('e', 'a+b')}</m:rad>", "√(a + b)"),
        ("<m:r><m:t>P=UI</m:t></m:r>", "P = UI"),
        (f"<m:d>{part('e', 'a')}</m:d>", "(a)"),
        (f"<m:func>{part('fName', 'sin')}{part('e', 'x')}</m:func>", "sin x"),
        (f"<m:nary>{part('sub', 'i')}{part('e', 'x')}</m:nary>", "[equation]"),
    ],
)
def test_equations_are_text_or_a_mark(tmp_path: Path, inner: str, text: str) -> None:
    content = run("At ") + equation(inner) + run(" mm")
    assert briefs(tmp_path, paragraph(content)) == [f"paragraph: At {text} mm"]
    block = paragraph(f"<m:oMathPara>{equation(inner)}</m:oMathPara>")
    assert briefs(tmp_path, paragraph("x") + block) == ["paragraph: x", f"paragraph: {text}"]


def test_an_equation_that_is_not_read_is_noted(tmp_path: Path) -> None:
    content = run("At ") + equation(f"<m:nary>{part('e', 'x')}</m:nary>")
    [note] = read(tmp_path, paragraph(content)).notes
    assert (note.rule, note.excerpt) == ("equation left out", "x")


def test_text_boxes_are_read_in_either_form(tmp_path: Path) -> None:
    content = f"<w:txbxContent>{paragraph('Wear gloves.')}</w:txbxContent>"
    drawn = (
        f"<w:drawing><wp:anchor><a:graphic><wps:txbx>{content}</wps:txbx></a:graphic>"
        "</wp:anchor></w:drawing>"
    )
    old = f"<w:pict><v:shape><v:textbox>{content}</v:textbox></v:shape></w:pict>"
    both = (
        f"<mc:AlternateContent><mc:Choice Requires='wps'>{drawn}</mc:Choice>"
        f"<mc:Fallback>{old}</mc:Fallback></mc:AlternateContent>"
    )
    for shape in (drawn, old, both):
        body = paragraph(run("Open.") + f"<w:r>{shape}</w:r>")
        assert briefs(tmp_path, body) == ["paragraph: Open.", "paragraph: Wear gloves."]


def picture(properties: str) -> str:
    return (
        f"<w:r><w:drawing><wp:inline><wp:docPr id='1' name='Picture 1' {properties}/><a:graphic>"
        "<a:graphicData><pic:pic><pic:blipFill><a:blip r:embed='rImage'/></pic:blipFill></pic:pic>"
        "</a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"
    )


def test_pictures_are_read_by_their_description_or_leave_a_mark(tmp_path: Path) -> None:
    body = paragraph(run("Press ") + picture("descr='Red key'") + run(" twice"))
    assert briefs(tmp_path, body) == ["paragraph: Press Red key twice"]
    document = read(tmp_path, paragraph(run("Press ") + picture("") + run(" twice")))
    assert document.blocks[0].text == "Press [picture] twice"
    assert [note.rule for note in document.notes] == ["picture left out"]


def test_footnotes_are_read_and_comments_are_noted(tmp_path: Path) -> None:
    mark = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    note = f'<w:footnote w:id="2">{paragraph("With a receipt.")}</w:footnote>'
    comment = f'<w:comment w:id="0">{paragraph("Ask legal.")}</w:comment>'
    body = paragraph(run("24") + mark + run(" months"))
    document = read(tmp_path, body, footnotes=note, comments=comment)
    assert [brief(b) for b in document.blocks] == [
        "paragraph: 24 months",
        "item: 1. With a receipt.",
    ]
    assert ("comment left out", "Ask legal.") in [(n.rule, n.excerpt) for n in document.notes]


def test_code_keeps_its_lines_and_indentation(tmp_path: Path) -> None:
    font = '<w:rFonts w:ascii="Courier New"/>'
    lines = [run("if x:", properties=font), run("    y()", properties=font)]
    assert briefs(tmp_path, "".join(map(paragraph, lines))) == ["code: if x:\n    y()"]
    styles = style("S", "HTML Preformatted")
    body = paragraph("if x:", style="S") + paragraph("    y()", style="S")
    assert briefs(tmp_path, body, styles=styles) == ["code: if x:\n    y()"]


def test_a_table_of_contents_is_left_out(tmp_path: Path) -> None:
    styles = style("V1", "toc 1") + HEADING
    body = paragraph("Safety 3", style="V1") + paragraph("Safety", style="berschrift1")
    document = read(tmp_path, body, styles=styles)
    assert [brief(block) for block in document.blocks] == ["heading: Safety"]
    assert [note.rule for note in document.notes] == ["navigation left out"]


def test_a_damaged_document_is_bad(tmp_path: Path) -> None:
    path = write_docx(tmp_path / "a.docx", "<w:p>")
    assert _reason(path).startswith("cannot be read as a Word document: ")
    path.write_bytes(path.read_bytes()[:300])
    assert _reason(path).startswith("is a damaged archive: ")


@pytest.mark.parametrize("part", ["docProps/core.xml", "word/header1.xml"])
def test_a_document_is_not_decompressed_beyond_what_a_document_may_have(
    tmp_path: Path, part: str
) -> None:
    path = write_docx(tmp_path / "a.docx", paragraph("Lamp"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(part, b"<w:p>" + bytes(MAX_DOCUMENT))
    assert _reason(path) == "holds more than 64 MiB of text"


def test_large_pictures_and_fonts_are_not_read(tmp_path: Path) -> None:
    path = write_docx(tmp_path / "a.docx", paragraph("Lamp"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/fonts/font1.odttf", bytes(MAX_DOCUMENT + 1))
    assert isinstance(read_document(path, name="a.docx", kind="docx"), Document)


def _reason(path: Path) -> str:
    bad = read_document(path, name="a.docx", kind="docx")
    assert isinstance(bad, BadRow)
    return bad.reason
