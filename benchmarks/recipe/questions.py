"""The questions about a library: read, given the text that answers them, written as probes."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from examples.a45.make import probes as a45_probes
from ftdist.io.jsonl import write_whole
from ftdist.library.readers import read_document
from ftdist.library.schema import Document
from ftdist.library.synthesis.sections import joined, sections

QUESTIONS = Path(__file__).parent / "questions"
OUT_OF_SCOPE = "out_of_scope"
"""Name of the questions about other things, which are asked of every library."""

KINDS = {".md": "markdown", ".html": "html"}

Row = dict[str, Any]


def read_questions(name: str) -> list[Row]:
    """The hand-written questions of one library, or those about other things."""
    text = (QUESTIONS / f"{name}.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    if name == "a45":  # those about one fact are the example's
        return [*(_with_own_evidence(row) for row in a45_probes()), *rows]
    return rows


def _with_own_evidence(row: Row) -> Row:
    """A fact of the A-45 stands in one sentence: the answer."""
    return row | {"evidence": row["answer"]} if row["kind"] == "fact" else row


def all_questions(name: str, *, folder: Path) -> list[Row]:
    """A library's questions with their evidence, and those about other things.

    Args:
        name: of the library.
        folder: of its documents.
    """
    return [*with_evidence(read_questions(name), folder=folder), *read_questions(OUT_OF_SCOPE)]


def with_evidence(rows: Iterable[Row], *, folder: Path) -> Iterator[Row]:
    """Rows that name a place in a document, with the text that stands there.

    Args:
        rows: with `document`, and `section` where the document has several.
        folder: of the documents.

    Raises:
        LookupError: a document has no such section.
    """
    texts: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["kind"] != "fact" or row.get("evidence"):
            yield row
            continue
        name = row["document"]
        if name not in texts:
            texts[name] = _texts(folder / name)
        section = row.get("section") or next(iter(texts[name]))
        if section not in texts[name]:
            raise LookupError(f"{name} has no section {section!r}")
        yield row | {"evidence": texts[name][section]}


def document(path: Path) -> Document:
    """A document, as ftdist reads it.

    Raises:
        ValueError: it cannot be read.
    """
    read = read_document(path, name=path.name, kind=KINDS[path.suffix])
    if not isinstance(read, Document):
        raise ValueError(f"{path} cannot be read: {read}")
    return read


def _texts(path: Path) -> dict[str, str]:
    """The sections of a document by heading, those of one heading together; a table's rows."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return {row["question"]: f"{row['question']}\n{row['answer']}" for row in rows}
    read = document(path)
    texts: dict[str, str] = {}
    for section in sections(read):
        if section.blocks:
            above = texts.get(section.heading, section.heading or read.title)
            texts[section.heading] = f"{above}\n\n{joined(section.blocks)}"
    return texts


def write_probes(rows: Iterable[Row], path: Path) -> Path:
    """Write questions as a probe file, one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path
