"""Which format a zip archive holds."""

import zipfile
from pathlib import Path

from ftdist.library.readers.filetypes.text_kind import UnsupportedFile

_ODF = "application/vnd.oasis.opendocument."
_MAIN_PARTS = (
    ("word/document", "docx"),
    ("xl/workbook.xml", "xlsx"),
    ("ppt/presentation", "pptx"),
)
_IWORK = UnsupportedFile(
    "is a document of Apple Pages, Numbers or Keynote", "Export it as .docx, .xlsx, .pptx or PDF."
)


def zip_kind(path: Path) -> str | UnsupportedFile:
    """docx, xlsx, pptx, epub or odf, by the archive's parts."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            mimetype = _mimetype(archive)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError):
        return UnsupportedFile("is a damaged archive", "Save or fetch it again.")
    for part, kind in _MAIN_PARTS:
        if any(name.startswith(part) for name in names):
            return kind
    if mimetype == "application/epub+zip" or "META-INF/container.xml" in names:
        return "epub"
    if mimetype.startswith(_ODF):
        return _odf_kind(mimetype.removeprefix(_ODF))
    if not mimetype and "content.xml" in names:
        return "odf"
    if "xl/workbook.bin" in names:
        return UnsupportedFile("is a binary Excel workbook", "Save it as .xlsx.")
    if any(name.startswith("Index/") and name.endswith(".iwa") for name in names):
        return _IWORK
    return UnsupportedFile(
        "is an archive but not a document that ftdist reads", "Unpack it and name its contents."
    )


def _mimetype(archive: zipfile.ZipFile) -> str:
    """What the archive says that it is; "" if it has no such member."""
    if "mimetype" not in archive.namelist():
        return ""
    with archive.open("mimetype") as member:
        return member.read(200).decode("ascii", "replace").strip()


def _odf_kind(what: str) -> str | UnsupportedFile:
    if what.startswith(("text", "spreadsheet", "presentation")):
        return "odf"
    return UnsupportedFile(f"is an OpenDocument {what} file", "Save its text as .odt.")
