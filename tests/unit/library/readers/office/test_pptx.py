"""PowerPoint: slides as sections."""

from pathlib import Path

from tests.support.documents.zipped import (
    made_zip,
    read_zipped,
    rows_of,
    texts_of,
)

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
    return made_zip(path, {**parts, **more})


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
    document = read_zipped(_pptx(tmp_path / "a.pptx", [first, hidden, last], **more), "pptx")
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
    document = read_zipped(_pptx(tmp_path / "a.pptx", [slide]), "pptx")
    assert texts_of(document)[:2] == [("paragraph", "10\u2076\nm"), ("item", "1. Wait.")]
    assert rows_of(document) == [(("Model", "Part"), ("P-9", "Cap"), ("P-9", "Lid"))]
