"""Word documents (.docx), converted to HTML, which keeps headings, lists and tables."""

import zipfile
from pathlib import Path

import mammoth

from ftdist.library.readers.html import parse_html
from ftdist.library.schema import BadRow, Document, Location


def read_docx(path: Path, *, name: str) -> Document | BadRow:
    """A .docx file."""
    try:
        with path.open("rb") as file:
            converted = mammoth.convert_to_html(file, convert_image=_no_image)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, AttributeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        return BadRow(
            f"cannot be read as a Word document: {reason}",
            Location(name),
            "Open it in Word or LibreOffice and save it again.",
        )
    return parse_html(converted.value, name=name, stem=path.stem)


def _no_image(_image: object) -> list[object]:
    return []
