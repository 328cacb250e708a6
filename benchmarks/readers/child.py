"""Reads documents with one reader, in its own environment; started with its name.

Each line of its input is the path of a document. It answers each with a line of JSON: "text" (plain
or Markdown, tables with pipes) and "seconds", or "error". It imports nothing else of this
repository, because only the reader's own packages are installed beside it.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

Read = Callable[[Path], str]


class _Pipes(HTMLParser):
    """HTML as plain text: a line a block, tables with pipes; spans are not repeated."""

    _BLOCKS = frozenset(
        ("p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "pre", "dt", "dd", "tr")
    )

    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []
        self._tables = 0

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self._tables += tag == "table"
        if tag in ("td", "th"):
            self.out.append("| ")
        elif tag == "br":
            self.out.append("<br>" if self._tables else "\n")
        elif tag == "sup":
            self.out.append("<sup>")
        elif tag in self._BLOCKS and not (self._tables and tag not in ("tr", "table")):
            self.out.append("\n\n" if tag != "tr" else "\n")
        elif tag in self._BLOCKS:
            self.out.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._tables -= tag == "table"
        if tag in ("td", "th", "p", "div", "li"):
            self.out.append(" " if self._tables else "\n")
        elif tag == "tr":
            self.out.append("|")
        elif tag == "sup":
            self.out.append("</sup>")
        elif tag == "table" or tag.startswith("h"):
            self.out.append("\n\n")

    def handle_data(self, data: str) -> None:
        self.out.append(" ".join(data.split("\n")) if self._tables else data)


def _piped(markup: str) -> str:
    parser = _Pipes()
    parser.feed(markup)
    return "".join(parser.out)


def _pipe_rows(rows: list[list[Any]]) -> str:
    lines = [
        "| " + " | ".join(" ".join(str(cell or "").split()) for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines)


def ftdist() -> Read:
    """Its documents, rendered."""
    render: Any = import_module("benchmarks.readers.render")
    return lambda path: str(render.read(path))


_DOCLING = {
    ".html": ("HTML", "html_backend.HTMLDocumentBackend"),
    ".docx": ("DOCX", "msword_backend.MsWordDocumentBackend"),
    ".md": ("MD", "md_backend.MarkdownDocumentBackend"),
    ".xlsx": ("XLSX", "msexcel_backend.MsExcelDocumentBackend"),
    ".pptx": ("PPTX", "mspowerpoint_backend.MsPowerpointDocumentBackend"),
    ".epub": ("EPUB", "epub_backend.EpubDocumentBackend"),
    ".odt": ("ODT", "opendocument_backend.OdtDocumentBackend"),
    ".pdf": ("PDF", "docling_parse_backend.DoclingParseDocumentBackend"),
}


def docling() -> Read:
    """Its backends, called directly: its converter imports torch, and its PDF pipeline models.

    Of PDF: the text cells of docling-parse in their order.
    """
    formats = import_module("docling.datamodel.base_models").InputFormat
    open_input = import_module("docling.datamodel.document").InputDocument

    def read(path: Path) -> str:
        name, where = _DOCLING[path.suffix]
        module, _, backend = where.partition(".")
        opened = open_input(
            path_or_stream=path,
            format=formats[name],
            backend=getattr(import_module(f"docling.backend.{module}"), backend),
            filename=path.name,
        )._backend
        if path.suffix != ".pdf":
            return str(opened.convert().export_to_markdown())
        pages = []
        for page in opened.iter_pages():
            pages.append("\n".join(cell.text for cell in page.get_text_cells()))
            page.unload()
        opened.unload()
        return "\n\n".join(pages)

    return read


def markitdown() -> Read:
    """Its Markdown."""
    converter = import_module("markitdown").MarkItDown(enable_plugins=False)
    return lambda path: str(converter.convert(str(path)).text_content)


def kreuzberg() -> Read:
    """Its Markdown."""
    module = import_module("kreuzberg")
    config = module.ExtractionConfig(output_format="markdown", use_cache=False)
    return lambda path: str(module.extract_file_sync(str(path), config=config).content)


def xberg() -> Read:
    """Its Markdown."""
    module = import_module("xberg")
    config = module.ExtractionConfig(output_format="markdown", use_cache=False)

    def read(path: Path) -> str:
        request = module.ExtractInput(kind="uri", uri=str(path))
        result = asyncio.run(module.extract(request, config=config))
        if result.errors:
            raise RuntimeError(str(result.errors[0]))
        return "\n\n".join(document.content for document in result.results)

    return read


def trafilatura() -> Read:
    """Its Markdown, leaving out as little as it can."""
    module = import_module("trafilatura")
    return lambda path: (
        module.extract(
            path.read_bytes(), output_format="markdown", include_tables=True, favor_recall=True
        )
        or ""
    )


def inscriptis() -> Read:
    """Its text, columns aligned."""
    get_text = import_module("inscriptis").get_text
    return lambda path: str(get_text(path.read_bytes().decode("utf-8", "replace")))


def pdfplumber() -> Read:
    """The text of each page, then its tables."""
    module = import_module("pdfplumber")

    def read(path: Path) -> str:
        parts = []
        with module.open(path) as document:
            for page in document.pages:
                parts.append(page.extract_text() or "")
                parts += [_pipe_rows(rows) for rows in page.extract_tables()]
                page.close()
        return "\n\n".join(parts)

    return read


def mammoth() -> Read:
    """Its HTML, as plain text with pipes."""
    module = import_module("mammoth")

    def read(path: Path) -> str:
        with path.open("rb") as file:
            return _piped(module.convert_to_html(file).value)

    return read


def pypdfium2() -> Read:
    """The text of each page, in the order of the file."""
    module = import_module("pypdfium2")

    def read(path: Path) -> str:
        document = module.PdfDocument(path)
        pages = [page.get_textpage().get_text_bounded() for page in document]
        return "\n\n".join(pages)

    return read


READERS: dict[str, Callable[[], Read]] = {
    make.__name__: make
    for make in (
        *(ftdist, docling, markitdown, kreuzberg, xberg),
        *(trafilatura, inscriptis, pdfplumber, mammoth, pypdfium2),
    )
}


def main(name: str) -> None:
    """Answer until the input ends; what the reader itself prints goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        read = READERS[name]()
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(_answer(read, Path(line.rstrip("\n")))), file=answers, flush=True)


def _answer(read: Read, path: Path) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            text = read(path)
    except Exception as error:  # noqa: BLE001 (a stranger's reader may raise anything)
        return {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    return {"text": text, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    main(sys.argv[1])
