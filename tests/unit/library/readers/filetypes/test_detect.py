"""Which format a file has, by its content."""

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pytest

from ftdist.library.readers.filetypes.detect import UnsupportedFile, detect_kind

ROWS = '{"question": "Why?", "answer": "So."}\n{"question": "How?", "answer": "So."}\n'
CELL = {"cell_type": "markdown", "source": ["# Hi\n", "Hold."]}
XML = '<?xml version="1.0"?>\n'


def _kind(tmp_path: Path, name: str, content: str | bytes) -> str:
    """The kind of a file, or why it cannot be read."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    kind = detect_kind(path)
    if isinstance(kind, UnsupportedFile):
        assert kind.remedy.endswith(".")
        return kind.reason
    return kind


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.txt", ROWS, "jsonl"),
        ("a.log", ROWS, "jsonl"),
        ("a.json", ROWS, "jsonl"),
        ("a", ROWS, "jsonl"),
        ("a.html", ROWS, "jsonl"),
        ("a.jsonl", "\ufeff" + ROWS, "jsonl"),
        ("a.jsonl", '["Why?", "So."]\n["How?", "So."]\n', "jsonl"),
        ("a.jsonl", '{"question": "a", "ans\n' + ROWS, "jsonl"),
        ("a.jsonl", '[\n{"question": "a", "answer": "b"}\n]\n', "json"),
        ("a.jsonl", '{\n "question": "a",\n "answer": "b"\n}\n{\n "question": "c"\n}\n', "json"),
        ("a.jsonl", '[{"question": "a", "answer": "b"}]\n', "json"),
        ("a.txt", '{\n "question": "a",\n "answer": "b"\n}\n', "json"),
        ("a.json", "{not JSON}", "json"),
        ("a.ipynb", json.dumps({"cells": [CELL], "nbformat": 4}), "notebook"),
        ("a.json", json.dumps({"cells": [CELL], "nbformat": 4}, indent=1), "notebook"),
        ("a.jsonl", '{"kind": "fact", "question": "a", "answer": "b", "keys": []}\n', "probes"),
        ("a.txt", "[1] Smith, J. The lamp.\n[2] Jones, K.\n", "text"),
        ("a.txt", "{curly} words begin this text.\n", "text"),
        ("a.yaml", '[{"question": "a", "answer": "b"}]', "yaml"),
    ],
)
def test_json_is_told_by_its_lines(tmp_path: Path, name: str, content: str, kind: str) -> None:
    assert _kind(tmp_path, name, content) == kind


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a", "<p>Hold the key.</p>", "html"),
        ("a.txt", "<!-- x -->\n<!-- y -->\n<!DOCTYPE html>\n<title>L</title>", "html"),
        ("a.xml", XML + '<html xmlns="http://www.w3.org/1999/xhtml"><p>x</p></html>', "html"),
        ("a.md", '<p align="center">x</p>\n\n# Lamp\n', "markdown"),
        ("a.md", "<!-- x -->\n# Lamp\n", "markdown"),
        ("a.txt", "# Lamp\n\nHold it.\n\n## Reset\n\nWait.\n", "markdown"),
        ("a.txt", "Run:\n```sh\nlamp reset\n```\n", "markdown"),
        ("a.txt", "<Ctrl>+C stops it. <Ctrl>+D ends it.", "text"),
        ("a.xml", XML + "<!-- x --><article><para>x</para></article>", "docbook"),
        ("a.dita", '<!DOCTYPE task PUBLIC "x" "y"><task><title>x</title></task>', "docbook"),
        ("a.txt", "<topic id='a'><title>x</title></topic>", "docbook"),
        ("a.fodt", XML + '<office:document xmlns:office="x"/>', "odf"),
        ("a.txt", "From: a@x\nTo: b@x\nSubject: Lamp\nMIME-Version: 1.0\n\nHold it.", "mail"),
        ("a.eml", "Subject: Lamp\n\nHold it.", "mail"),
        ("a.txt", "From a@x Mon Jan  1 00:00:00 2031\nSubject: Lamp\n\nHold it.", "mbox"),
        ("a.txt", "Date: 3 May\nSubject: Lamps\n\nHold it.", "text"),
        ("a.txt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHold it.\n", "subtitles"),
        ("a.txt", "1\n00:00:01,000 --> 00:00:02,000\nHold it.\n", "subtitles"),
        ("a.txt", "Lamp\n====\n\n.. note::\n\n   Hold it.\n", "rst"),
        ("a.py", "def reset():\n    pass\n", "source"),
        ("a", "#!/bin/sh\necho x\n", "source"),
        ("a.ini", "[lamp]\nmode = eco\n", "source"),
        ("a.log", "2031-01-01 lamp on\n", "source"),
        ("a.csv", "question,answer\nWhy?,So.\n", "csv"),
        ("a.unknown", "Hold the key.\n", "text"),
    ],
)
def test_text_is_told_by_its_markup(tmp_path: Path, name: str, content: str, kind: str) -> None:
    assert _kind(tmp_path, name, content) == kind


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "{\\rtf1\\ansi Hold it.}", "is an RTF document"),
        ("a.doc", "{\\rtf1\\ansi Hold it.}", "is an RTF document"),
        ("a.tex", "Hold it.", "is LaTeX source"),
        ("a.txt", "% x\n\\documentclass{article}\n", "is LaTeX source"),
        ("a.txt", "\\section{Reset}\nHold it.", "is LaTeX source"),
        ("a.adoc", "Hold it.", "is AsciiDoc source"),
        ("a.txt", "= Lamp\n\nIntro.\n\n== Reset\n", "is AsciiDoc source"),
        ("a.1", ".TH LAMP 1\n.SH NAME\n", "is the source of a manual page"),
        ("a", '.\\" x\n.TH LAMP 1\n', "is the source of a manual page"),
        ("a.txt", "\\input texinfo\n", "is Texinfo source"),
        ("a.org", "* Lamp\n", "is an Org file"),
        ("a.ps", "%!PS-Adobe-3.0\n", "is PostScript"),
        ("a.pem", "-----BEGIN PRIVATE KEY-----\n", "is a key or a certificate"),
        ("a.ics", "BEGIN:VCALENDAR\n", "is a calendar or an address book"),
        ("a.xml", XML + "<rss><channel/></rss>",
         "is XML of a kind that ftdist does not read (<rss>)"),
        ("a.svg.xml", XML + '<svg xmlns="x"/>',
         "is XML of a kind that ftdist does not read (<svg>)"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "is an image"),
        ("a.mobi", bytes(60) + b"BOOKMOBI", "is a Kindle book"),
        ("a.db", b"SQLite format 3\0", "is an SQLite database"),
        ("a.doc", b"\xd0\xcf\x11\xe0" + bytes(9) + "WordDocument".encode("utf-16-le"),
         "is an old Word document"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"),
         "is an encrypted Office file"),
        ("a.msg", b"\xd0\xcf\x11\xe0" + "__substg1.0_".encode("utf-16-le"),
         "is an Outlook message"),
        ("a.txt", b"a\0b", "is binary, not text (NUL bytes)"),
        ("a.txt", b" \n", "is empty"),
        ("a.gz", gzip.compress(b"%PDF-1.4", mtime=0), "is compressed"),
        ("a.tex.gz", gzip.compress(b"\\documentclass{article}", mtime=0), "is LaTeX source"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_rejected_by_name(
    tmp_path: Path, name: str, content: str | bytes, reason: str
) -> None:
    assert _kind(tmp_path, name, content) == reason


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({"word/document.xml": "x"}, "docx"),
        ({"xl/workbook.xml": "x"}, "xlsx"),
        ({"ppt/presentation.xml": "x"}, "pptx"),
        ({"mimetype": "application/epub+zip"}, "epub"),
        ({"META-INF/container.xml": "x"}, "epub"),
        ({"mimetype": "application/vnd.oasis.opendocument.text"}, "odf"),
        ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}, "odf"),
        (
            {"mimetype": "application/vnd.oasis.opendocument.graphics"},
            "is an OpenDocument graphics file",
        ),
        ({"xl/workbook.bin": "x"}, "is a binary Excel workbook"),
        ({"Index/Document.iwa": "x"}, "is a document of Apple Pages, Numbers or Keynote"),
        ({"a.txt": "x"}, "is an archive but not a document that ftdist reads"),
    ],
)
def test_zip_archives_are_told_by_their_parts(
    tmp_path: Path, parts: dict[str, str], kind: str
) -> None:
    with zipfile.ZipFile(tmp_path / "made", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert _kind(tmp_path, "a.zip", (tmp_path / "made").read_bytes()) == kind


@pytest.mark.parametrize("make", [pyarrow.ipc.new_file, pyarrow.ipc.new_stream])
def test_arrow_files_and_streams_are_told_by_their_first_bytes(
    tmp_path: Path, make: Callable[..., Any]
) -> None:
    table = pyarrow.table({"text": ["Hold it."]})
    with make(str(tmp_path / "a.bin"), table.schema) as writer:
        writer.write_table(table)
    assert detect_kind(tmp_path / "a.bin") == "arrow"


def test_compressed_pages_are_read_without_unpacking(tmp_path: Path) -> None:
    assert _kind(tmp_path, "a.md.gz", gzip.compress(b"# Lamp\n\nHold it.\n")) == "markdown"
    assert _kind(tmp_path, "b.gz", gzip.compress(b"<html><p>Hold it.</p>")) == "html"
