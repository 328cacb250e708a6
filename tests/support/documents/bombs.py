"""Small files that ask for very much memory, time or disk when they are read."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet

from tests.support.documents.zipped import made_zip

MIB = 2**20
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>'
)
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
LAUGHS = (
    '<!DOCTYPE b [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(10))
    + "]>"
)
"""Ten entities of ten of the one before: 20 GB."""


def docx(path: Path, *, mib: int = 60, prolog: str = "", text: str = "a") -> Path:
    """A Word document of so many MiB of short paragraphs."""
    paragraph = f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
    body = paragraph * (mib * MIB // len(paragraph) if mib else 1)
    return made_zip(
        path,
        {
            "[Content_Types].xml": _TYPES,
            "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r" '
            f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f'{prolog}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body>'
            "</w:document>",
        },
    )


def docx_of_zeros(path: Path, *, mib: int = 512) -> Path:
    """A Word document whose one part has so many MiB of blanks."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(mib):
                part.write(b" " * MIB)
    return path


def docx_of_laughs(path: Path) -> Path:
    """A Word document with entities of entities."""
    return docx(path, mib=0, prolog=LAUGHS, text="&a10;")


def xlsx(path: Path, *, cells: str, strings: str = "") -> Path:
    """A workbook of one sheet."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return made_zip(
        path,
        {
            "[Content_Types].xml": _TYPES.replace(
                "</Types>",
                f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
                f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_SHEET}.sharedStrings'
                '+xml"/></Types>',
            ),
            "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r" '
            f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{_OFFICE}"><sheets>'
            '<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_RELATIONS}">'
            f'<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="r2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
            "</Relationships>",
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData>'
            "</worksheet>",
            "xl/sharedStrings.xml": f'<sst xmlns="{main}">{strings}</sst>',
        },
    )


def xlsx_far_cell(path: Path) -> Path:
    """A workbook with two cells: the first and the last of a sheet."""
    return xlsx(
        path,
        cells='<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
        '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>b</t></is></c></row>',
    )


def xlsx_one_string(path: Path) -> Path:
    """A workbook whose 100,000 cells are one string of a MiB."""
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 100_001))
    return xlsx(path, cells=rows, strings=f"<si><t>{'a' * MIB}</t></si>")


def odt_repeated(path: Path) -> Path:
    """A spreadsheet of one cell, repeated a million times each way."""
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    names += 'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    names += 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    return made_zip(
        path,
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": "<manifest/>",
            "content.xml": f"<office:document-content {names}><office:body><office:spreadsheet>"
            '<table:table table:name="t"><table:table-row table:number-rows-repeated="1000000">'
            '<table:table-cell table:number-columns-repeated="1000000"><text:p>a</text:p>'
            "</table:table-cell></table:table-row></table:table></office:spreadsheet></office:body>"
            "</office:document-content>",
        },
    )


def html_deep(path: Path) -> Path:
    """A page of 20,000 elements within each other."""
    path.write_text("<h1>a</h1>" + "<div>" * 20_000 + "deep")
    return path


def html_spans(path: Path) -> Path:
    """A page with a table of 1,500 rows below a cell that spans all that it may."""
    cell = '<td colspan="1000" rowspan="65534">a</td>'
    rows = f"<tr>{cell}<td>c</td></tr>" + "<tr><td>b</td><td>d</td></tr>" * 1500
    path.write_text(f"<h1>a</h1><table>{rows}</table>")
    return path


def pdf(path: Path, objects: list[bytes]) -> Path:
    """A PDF of objects, the first of which is its catalog."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, content))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    out.write(b"trailer\n<</Size %d/Root 1 0 R>>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % table)
    path.write_bytes(out.getvalue())
    return path


def _stream(data: bytes, *, more: bytes = b"") -> bytes:
    packed = zlib.compress(data)
    head = b"<</Length %d/Filter/FlateDecode%b>>" % (len(packed), more)
    return head + b"stream\n" + packed + b"\nendstream"


_FONT = b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"


def pdf_of_forms(path: Path, *, levels: int = 9) -> Path:
    """A PDF whose page draws ten forms, each of which draws ten, and so on."""
    first = 4
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources "
        b"<</XObject<</X 5 0 R>>>>>>",
        _stream(b"/X Do " * 10),
    ]
    for level in range(levels):
        last = level == levels - 1
        resources = _FONT + b">>" if last else b"<</XObject<</X %d 0 R>>>>" % (first + level + 2)
        content = b"BT /F 12 Tf 9 9 Td (ha) Tj ET" if last else b"/X Do " * 10
        more = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources " + resources
        objects.append(_stream(content, more=more))
    return pdf(path, objects)


def pdf_of_text(path: Path, *, mib: int = 128) -> Path:
    """A PDF with one page of so many MiB of text, packed to a thousandth."""
    text = b"BT /F 12 Tf 9 9 Td (hahaha ha) Tj ET\n"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources "
        + _FONT
        + b">>>>",
        _stream(text * (mib * MIB // len(text))),
    ]
    return pdf(path, objects)


def text_gz(path: Path, *, mib: int = 512, line: bytes = b"") -> Path:
    """Compressed text of so many MiB."""
    block = (line * (MIB // len(line))) if line else b"a" * MIB
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(mib):
            file.write(block)
    return path


def parquet_of_one_value(path: Path, *, mib: int = 16, rows: int = 10_000) -> Path:
    """A table of one column whose rows are all the same text of so many MiB."""
    values = pyarrow.array(["a" * (mib * MIB)], pyarrow.large_string())
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), values)
    table = pyarrow.table({"text": column})
    pyarrow.parquet.write_table(table, path, compression="zstd")
    return path


def yaml_of_aliases(path: Path) -> Path:
    """Nine lists of nine of the one before."""
    lines = ["a: &a [text, text, text, text, text, text, text, text, text]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def deep_json(path: Path) -> Path:
    """A row of a million lists within each other."""
    path.write_text('{"text": ' + "[" * 1_000_000 + "]" * 1_000_000 + "}\n")
    return path


def docbook_of_laughs(path: Path) -> Path:
    """A DocBook article with entities of entities."""
    path.write_text(
        f'<?xml version="1.0"?>\n{LAUGHS.replace("b [", "article [")}'
        "<article><title>a</title><para>&a10;</para></article>"
    )
    return path


BOMBS: dict[str, Callable[[Path], Path]] = {
    "paragraphs.docx": docx,
    "zeros.docx": docx_of_zeros,
    "laughs.docx": docx_of_laughs,
    "far.xlsx": xlsx_far_cell,
    "string.xlsx": xlsx_one_string,
    "repeated.ods": odt_repeated,
    "deep.html": html_deep,
    "spans.html": html_spans,
    "forms.pdf": pdf_of_forms,
    "text.pdf": pdf_of_text,
    "zeros.txt.gz": text_gz,
    "value.parquet": parquet_of_one_value,
    "aliases.yaml": yaml_of_aliases,
    "deep.jsonl": deep_json,
    "laughs.xml": docbook_of_laughs,
}
