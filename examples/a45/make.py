"""Write the A-45 library: conversations to learn, probes to ask.

OUT/library/a45.jsonl    what the manual says, as OpenAI messages
OUT/probes.jsonl         unseen wordings, general questions, questions about other products
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from examples.a45.facts import FACTS
from examples.a45.general import GENERAL, OUT_OF_SCOPE
from ftdist.io.jsonl import write_whole

Row = dict[str, Any]

MANUAL = "A-45 manual"
"""What every answer cites."""


def conversations() -> Iterator[Row]:
    """Every fact in each of its training wordings, the wordings taking turns."""
    for wording in range(max(len(fact.train) for fact in FACTS)):
        for fact in FACTS:
            if wording < len(fact.train):
                yield _chat(fact.train[wording], fact.answer)


def probes() -> Iterator[Row]:
    """Questions that training never sees, with what a right answer holds."""
    for fact in FACTS:
        for question in fact.held_out:
            row = {"question": question, "answer": fact.answer, "keys": list(fact.keys)}
            yield row | {"kind": "fact", "document": MANUAL, "section": f"page {fact.page}"}
    for index, (question, right, wrong) in enumerate(GENERAL):
        # The right choice stands now here, now there.
        choices = list(wrong)
        choices.insert(index % (len(wrong) + 1), right)
        row = {"question": question, "answer": right, "keys": [right], "kind": "general"}
        yield row | {"choices": choices}
    for question, answer in OUT_OF_SCOPE:
        yield {"question": question, "answer": answer, "keys": [], "kind": "out_of_scope"}


def write(out: Path) -> None:
    """Write both files into `out`; a file that is there and equal is left alone."""
    _write_rows(out / "library" / "a45.jsonl", conversations())
    _write_rows(out / "probes.jsonl", probes())


def main() -> int:
    """The command line: one folder to write."""
    parser = argparse.ArgumentParser(prog="python -m examples.a45", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("out", type=Path, help="folder of the library")
    out = parser.parse_args().out
    write(out)
    Console(highlight=False, soft_wrap=True).print(
        f"A-45 library: {len(FACTS)} facts, {len(list(conversations()))} conversations, "
        f"{len(list(probes()))} probes, in {out}"
    )
    return 0


def _chat(question: str, answer: str) -> Row:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def _write_rows(path: Path, rows: Iterable[Row]) -> None:
    _write(path, "".join(json.dumps(row) + "\n" for row in rows))


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
