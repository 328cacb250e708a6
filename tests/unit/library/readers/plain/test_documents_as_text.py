"""Mail, notebooks, subtitles, DocBook, DITA, reStructuredText and rows of JSON and Arrow."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pytest

from ftdist.library.readers import read_document
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow, Conversation, Document, Passage
from ftdist.library.synthesis.qa_extraction import questions


def _document(tmp_path: Path, content: str | bytes, kind: str, name: str = "lamp.x") -> Document:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    document = read_document(path, name=name, kind=kind)
    assert isinstance(document, Document), document
    return document


def _texts(document: Document) -> list[tuple[str, str]]:
    return [(block.kind, f"{block.marker} {block.text}".strip()) for block in document.blocks]


def _notes(document: Document) -> set[tuple[str, str, int]]:
    return {(note.rule, note.excerpt, note.count) for note in document.notes}


# Mail

_PLAIN = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
_HEAD = "From: a@x\nSubject: =?utf-8?q?L=C3=A4mp?=\nMIME-Version: 1.0\n"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (_PLAIN + "Gr=C3=BC=C3=9Fe, hold =\nit.", "Gr\u00fc\u00dfe, hold it."),
        ("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n"
         + base64.b64encode("Gr\u00fc\u00dfe".encode("latin-1")).decode(), "Gr\u00fc\u00dfe"),
        ("Content-Type: text/html\n\n<p>Hold <b>it</b>.</p>", "Hold it."),
        ("\nHold it.\n\n-- \nJo, Lamps Inc.", "Hold it."),
        ("Content-Type: text/plain; charset=unknown-8bit\n\nHold it.", "Hold it."),
    ],
)  # fmt: skip
def test_message_is_its_text_under_its_subject(tmp_path: Path, part: str, text: str) -> None:
    document = _document(tmp_path, _HEAD + part, "mail")
    assert document.title == "L\u00e4mp"
    assert _texts(document) == [("paragraph", text)]


def test_of_two_versions_one_is_read_and_attachments_are_counted(tmp_path: Path) -> None:
    message = (
        f"{_HEAD}Content-Type: multipart/mixed; boundary=m\n\n--m\n"
        "Content-Type: multipart/alternative; boundary=a\n\n"
        f"--a\n{_PLAIN}Hold it.\n--a\nContent-Type: text/html\n\n<p>Hold it.</p>\n--a--\n"
        "--m\nContent-Type: image/png\nContent-Disposition: attachment; filename=lamp.png\n"
        "Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--m--\n"
    )
    document = _document(tmp_path, message, "mail")
    assert _texts(document) == [("paragraph", "Hold it.")]
    assert _notes(document) == {("attachment left out", "lamp.png", 1)}


def test_saved_page_is_read_as_html(tmp_path: Path) -> None:
    message = (
        f"{_HEAD}Content-Type: multipart/related; boundary=m\n\n--m\nContent-Type: text/html\n"
        "Content-Transfer-Encoding: quoted-printable\n\n"
        '<h1>Reset</h1><p class=3D"a">Hold =\nit.</p>'
        "\n--m\nContent-Type: image/png\n\nx\n--m--\n"
    )
    assert _texts(_document(tmp_path, message, "mail")) == [
        ("heading", "Reset"),
        ("paragraph", "Hold it."),
    ]


def test_mailbox_has_a_section_per_message_without_repeated_quotations(tmp_path: Path) -> None:
    mailbox = (
        "From a@x Mon Jan  1 00:00:00 2031\nSubject: Lamp\n\nHow do I reset it?\n\n"
        "From b@x Mon Jan  1 00:01:00 2031\nSubject: Re: Lamp\n\n> How do I reset it?\n\n"
        "Hold the key.\n\nFrom here on it works.\n\n> Not quoted before.\n"
    )
    document = _document(tmp_path, mailbox, "mbox")
    assert _texts(document) == [
        ("heading", "Lamp"),
        ("paragraph", "How do I reset it?"),
        ("heading", "Re: Lamp"),
        ("paragraph", "Hold the key."),
        ("paragraph", "From here on it works."),
        ("paragraph", "Not quoted before."),
    ]
    assert _notes(document) == {("quotation of an earlier message left out", "", 1)}


# Notebooks and subtitles


def test_notebook_has_its_text_code_and_printed_output(tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "text": ["\x1b[1mon\x1b[0m\n", "off\n"]},
        {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": "<Figure>"}},
        {"output_type": "error", "traceback": ["x"]},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# Reset\n", "\n", "1. Hold it."]},
        {"cell_type": "code", "source": "if hot:\n    stop()", "outputs": outputs},
        {"cell_type": "code", "source": [], "outputs": []},
    ]
    document = _document(tmp_path, json.dumps({"cells": cells, "nbformat": 4}), "notebook")
    assert document.title == "Reset"
    assert _texts(document) == [
        ("heading", "Reset"),
        ("item", "1. Hold it."),
        ("code", "if hot:\n    stop()"),
        ("code", "on\noff"),
    ]
    assert _notes(document) == {("picture left out", "", 1), ("error of a cell left out", "", 1)}


@pytest.mark.parametrize("content", ['{"cells": [{}]}', "{", '{"cells": 3}', "[1]"])
def test_damaged_notebook_is_rejected(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.ipynb").write_text(content)
    bad = read_document(tmp_path / "a.ipynb", name="a.ipynb", kind="notebook")
    assert isinstance(bad, BadRow)
    assert bad.reason.startswith("is not a valid notebook (")


@pytest.mark.parametrize(
    ("content", "paragraphs"),
    [
        ("1\n00:00:01,000 --> 00:00:02,000\nHold the\n<i>key</i>\n\n"
         "2\n00:00:02,500 --> 00:00:04,000\nfor 9 s.\n", ["Hold the key for 9 s."]),
        ("WEBVTT - x\n\nNOTE no\n\n00:01.000 --> 00:02.000 align:start\n<v Jo>One.\n\n"
         "00:09.000 --> 00:10.000\nTwo.\n", ["One.", "Two."]),
        ("1\n00:00:01,000 --> 00:00:02,000\nRoll up\n\n2\n00:00:02,000 --> 00:00:03,000\nRoll up\n",
         ["Roll up"]),
        ("1\n00:00:01,000 --> 00:00:02,000\n- Who?\n\n2\n00:00:02,000 --> 00:00:03,000\n- Me.\n",
         ["- Who?", "- Me."]),
        ("1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}31 Nm\r\n", ["31 Nm"]),
    ],
)  # fmt: skip
def test_subtitles_are_what_is_spoken(tmp_path: Path, content: str, paragraphs: list[str]) -> None:
    document = _document(tmp_path, content, "subtitles")
    assert [block.text for block in document.blocks] == paragraphs


# DocBook and DITA


def test_docbook_keeps_sections_lists_code_spans_and_entities(tmp_path: Path) -> None:
    content = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "x" "y.dtd" [<!ENTITY lamp "L-1"> <!ENTITY % m SYSTEM "m.ent"> %m;]>
<article xmlns="http://docbook.org/ns/docbook"><info><title>Lamp &lamp;</title>
<author><personname>Jo</personname></author></info>
<section><title>Reset</title><para>Hold&nbsp;it &made; 10<superscript>6</superscript> s
<footnote><para>About.</para></footnote>.</para>
<procedure><step><para>Close it.</para></step><step><para>Open it.</para></step></procedure>
<warning><para>Hot.</para></warning><programlisting>lamp off
  lamp on</programlisting>
<table><title>Torques</title><tgroup cols="3"><colspec colname="a"/><colspec colname="b"/>
<colspec colname="c"/><thead><row><entry>Model</entry><entry>Part</entry><entry>Nm</entry></row>
</thead><tbody><row><entry morerows="1">P-9</entry><entry>Cap</entry><entry>25</entry></row>
<row><entry namest="b" nameend="c">none</entry></row></tbody></tgroup></table>
<variablelist><varlistentry><term>--quiet</term><listitem><para>Switches it off.</para></listitem>
</varlistentry></variablelist></section></article>"""
    document = _document(tmp_path, content, "docbook")
    assert document.title == "Lamp L-1"
    assert _texts(document) == [
        ("heading", "Lamp L-1"),
        ("heading", "Reset"),
        ("paragraph", "Hold it 10\u2076 s [About.]."),
        ("item", "1. Close it."),
        ("item", "2. Open it."),
        ("paragraph", "Warning:"),
        ("paragraph", "Hot."),
        ("code", "lamp off\n  lamp on"),
        ("paragraph", "Torques"),
        ("table", ""),
        ("term", "--quiet"),
        ("definition", "Switches it off."),
    ]
    [table] = [block for block in document.blocks if block.kind == "table"]
    assert table.rows == (("Model", "Part", "Nm"), ("P-9", "Cap", "25"), ("P-9", "none", "none"))
    assert _notes(document) == {("entity without a definition left out", "&made;", 1)}


def test_questions_of_docbook_keep_their_answers(tmp_path: Path) -> None:
    entry = (
        "<qandaentry><question><para>{}</para></question>"
        "<answer><para>{}</para></answer></qandaentry>"
    )
    pairs = {"How do I stop it?": "Press the red key.", "Does it float?": "It does not."}
    entries = "".join(entry.format(*pair) for pair in pairs.items())
    content = f"<article><qandaset>{entries}</qandaset></article>"
    found = questions(_document(tmp_path, content, "docbook"))
    assert {pair.question: pair.answer for pair in found} == pairs


def test_dita_task_has_its_steps_in_order(tmp_path: Path) -> None:
    content = (
        '<task id="r"><title>Reset</title><shortdesc>In short.</shortdesc><taskbody><context>'
        "First <b>unplug</b> it.</context><steps><step><cmd>Hold the <uicontrol>Mode</uicontrol> "
        "key.</cmd><info>It clicks.</info></step><step><cmd>Wait.</cmd></step></steps>"
        '<note type="caution">Hot.</note></taskbody></task>'
    )
    assert _texts(_document(tmp_path, content, "docbook")) == [
        ("heading", "Reset"),
        ("paragraph", "In short."),
        ("paragraph", "First unplug it."),
        ("item", "1. Hold the Mode key."),
        ("paragraph", "It clicks."),
        ("item", "2. Wait."),
        ("paragraph", "Caution:"),
        ("paragraph", "Hot."),
    ]


def test_xml_that_is_not_well_formed_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<article><para>Hold it.</article>")
    bad = read_document(tmp_path / "a.xml", name="a.xml", kind="docbook")
    assert isinstance(bad, BadRow)
    assert bad.reason.startswith("is not well-formed XML (")


# reStructuredText


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("Hold\nit.\n\n#. Close it.\n#. Open it.\n",
         [("paragraph", "Hold it."), ("item", "1. Close it."), ("item", "2. Open it.")]),
        (".. code-block:: sh\n   :caption: x\n\n   lamp off\n     lamp on\n",
         [("code", "lamp off\n  lamp on")]),
        ("See :ref:`the lamp <lamp>` and :func:`~lamp.off`.\n",
         [("paragraph", "See the lamp and lamp.off.")]),
        (".. versionadded:: 3.2\n   Needs a key.\n",
         [("paragraph", "New in version 3.2 Needs a key.")]),
        (".. toctree::\n   :maxdepth: 2\n\n   a\n\nHold it.\n", [("paragraph", "Hold it.")]),
        (".. option:: --quiet\n\n   Switches it off.\n",
         [("paragraph", "--quiet"), ("paragraph", "Switches it off.")]),
        (".. comment\n\nHold it.\n", [("paragraph", "Hold it.")]),
        ("Hold it 10\\ :sup:`6` s.\n", [("paragraph", "Hold it 10\u2076 s.")]),
        ("|lamp| off.\n\n.. |lamp| replace:: L-1\n", [("paragraph", "L-1 off.")]),
        (".. list-table::\n   :nothing: x\n\n   * - key\n", [("code", ".. list-table::\n   "
         ":nothing: x\n\n   * - key")]),
    ],
)  # fmt: skip
def test_markup_of_docutils_and_sphinx_keeps_its_text(
    tmp_path: Path, content: str, texts: list[tuple[str, str]]
) -> None:
    document = _document(tmp_path, f"Lamp\n====\n\n{content}", "rst")
    assert document.title == "Lamp"
    assert _texts(document)[1:] == texts


def test_files_are_never_included_by_restructured_text(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    content = "Hold it.\n\n.. include:: secret.txt\n\n.. raw:: html\n   :file: secret.txt\n"
    document = _document(tmp_path, content, "rst")
    assert _texts(document) == [("paragraph", "Hold it.")]
    assert _notes(document) == {
        ("directive left out", "include", 1),
        ("directive left out", "raw", 1),
    }


# Rows


def test_json_values_over_many_lines_are_rows(tmp_path: Path) -> None:
    row = {"question": "Why?", "answer": "So."}
    text = "\n".join(json.dumps({**row, "question": f"Why {n}?"}, indent=1) for n in range(3))
    (tmp_path / "a.jsonl").write_text(text)
    rows = list(read_conversations(tmp_path / "a.jsonl", name="a", kind="json"))
    assert len(rows) == 3
    assert all(isinstance(each, Conversation) for each in rows)


@pytest.mark.parametrize("make", [pyarrow.ipc.new_file, pyarrow.ipc.new_stream])
def test_rows_of_arrow_files_are_read(tmp_path: Path, make: Callable[..., Any]) -> None:
    table = pyarrow.table({"text": [f"Hold it {n} s." for n in range(600)]})
    with make(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=400)
    rows = list(read_conversations(tmp_path / "a.arrow", name="a", kind="arrow"))
    assert [each.text for each in rows if isinstance(each, Passage)] == table["text"].to_pylist()


def test_damaged_arrow_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.arrow").write_bytes(b"ARROW1\0\0" + bytes(40))
    [bad] = read_conversations(tmp_path / "a.arrow", name="a", kind="arrow")
    assert isinstance(bad, BadRow)
    assert bad.reason.startswith("cannot be read as an Arrow file: ")
