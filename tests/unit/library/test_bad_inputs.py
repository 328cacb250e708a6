"""Files that cannot be used: each reported with its location, the reason and a remedy."""

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from ftdist.config.compose import compose_curation
from ftdist.errors import DataError
from ftdist.io.hashing import file_stamp
from ftdist.library.base_model import BaseModel
from ftdist.library.pipeline import curate
from ftdist.library.readers import read_document
from ftdist.library.readers.rows.jsonl_rows import MAX_LINE
from ftdist.library.schema import BadRow, Document, Note
from ftdist.library.stages.read_shard import ReadSettings, SourceShard, read_shard
from ftdist.library.stats import CurationStats
from tests.support.documents.small_pdfs import pdf_of_pages
from tests.support.models.thinking_templates import thinking_tokenizer

pytestmark = pytest.mark.timeout(280)

SETTINGS = ReadSettings(
    columns=(), assistant=(), encoding=None, secrets="mask", personal="mask", keep=()
)


def _read(path: Path, kind: str, **more: Any) -> CurationStats:
    asked = {"stamp": file_stamp(path), "digest": path.name, "span": None, "first_row": 1, **more}
    return read_shard(
        SourceShard(path=path, name=path.name, kind=kind, settings=SETTINGS,
              cache=path.parent / "cache", **asked)
    )  # fmt: skip


def _messages(stats: CurationStats) -> list[str]:
    return [f"{row['location']} {row['reason']} - {row['remedy']}" for row in stats.bad_rows]


TWO_ENCODINGS = "M\u00fcller geht. ".encode() * 5 + b"\ncaf\xe9 zu\n"


BAD: list[tuple[str, str, bytes, str]] = [
    (
        "a.txt", "text", TWO_ENCODINGS,
        "a.txt mixes UTF-8 with another encoding (line 2) - Save it as UTF-8.",
    ),
    (
        "a.html", "html", b"<html><p>" + TWO_ENCODINGS,
        "a.html mixes UTF-8 with another encoding (line 2) - Save it as UTF-8.",
    ),
    (
        "a.csv", "csv", b"question,answer\n" + TWO_ENCODINGS,
        "a.csv, row 1 mixes UTF-8 with another encoding (line 3) - Save it as UTF-8.",
    ),
    (
        "a.txt", "text", b"Begins as text.\n" * 5000 + b"\0\1\2",
        "a.txt contains NUL bytes (line 5001) - Remove it, or save it as text.",
    ),
    (
        "a.jsonl", "jsonl", b'{"text": "good"}\n{"text": "a\0b"}\n',
        "a.jsonl, row 2 is not valid JSON (Invalid control character at at character 12) - ",
    ),
    (
        "a.jsonl", "jsonl", b'{"text": {"a": [1]}}\n',
        "a.jsonl, row 1 has type dict instead of text in the text - ",
    ),
    (
        "a.yaml", "yaml", b"- 2026-13-45\n",
        "a.yaml, row 1 is not valid YAML (month must be in 1..12) - "
        "Correct it, or convert it to JSONL.",
    ),
    (
        "a.txt.gz", "text", gzip.compress(b"Some text of a page.", mtime=0)[:-9],
        "a.txt.gz cannot be decompressed: Compressed file ended before the end-of-stream marker "
        "was reached - Compress it again.",
    ),
    (
        "a.txt.gz", "text", gzip.compress(bytes(65 * 2**20), compresslevel=1, mtime=0),
        "a.txt.gz is larger than 64 MiB - "
        "Split it, or write its parts as rows of JSONL.",
    ),
    (
        "a.pdf", "pdf", pdf_of_pages("Hold the green button.", password="secret"),
        "a.pdf is encrypted - Save it without a password.",
    ),
    (
        "a.pdf", "pdf", pdf_of_pages("", ""),
        "a.pdf contains images of pages and no text - "
        "Run optical character recognition over it, for example with ocrmypdf.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "content", "messages"),
    BAD,
    ids=[messages.partition(" - ")[0] for *_, messages in BAD],
)
def test_unusable_file_is_reported_with_location_reason_and_remedy(
    tmp_path: Path, name: str, kind: str, content: bytes, messages: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert _messages(_read(tmp_path / name, kind)) == [messages]


def test_too_deeply_nested_html_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"<html>" + b"<div>" * 5000 + b"x")
    [messages] = _messages(_read(tmp_path / "a.html", "html"))
    assert messages.startswith("a.html crashes its reader (RecursionError: maximum recursion depth")
    assert messages.endswith(") - Remove the file, or save it again.")
    assert not list((tmp_path / "cache" / "read").iterdir())


def test_parquet_with_invalid_utf8_is_reported(tmp_path: Path) -> None:
    buffers = pyarrow.array([b"good", b"\xff\xfe"], pyarrow.binary()).buffers()
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet")
    messages = _messages(_read(tmp_path / "a.parquet", "parquet"))
    assert messages == ["a.parquet, row 1 is not UTF-8 text - Write it as UTF-8."]


def test_text_in_latin_1_is_read_with_a_note(tmp_path: Path) -> None:
    text = "Die Stra\u00dfe f\u00fchrt \u00fcber die gro\u00dfe Br\u00fccke. " * 20
    (tmp_path / "a.txt").write_bytes(text.encode("latin-1"))
    document = read_document(tmp_path / "a.txt", name="a.txt", kind="text")
    assert isinstance(document, Document)
    assert document.blocks[0].text == text.strip()
    assert [note.rule for note in document.notes] == ["encoding guessed"]


def test_pdf_with_empty_password_is_read_and_pages_without_text_are_noted(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf_of_pages("Hold the button.", "", "", password=""))
    document = read_document(tmp_path / "a.pdf", name="a.pdf", kind="pdf")
    assert isinstance(document, Document)
    assert [block.text for block in document.blocks] == ["Hold the button."]
    assert document.notes == (Note(rule="page without text", excerpt="pages 2, 3", count=2),)


def test_damaged_pdf_page_is_reported_by_number(tmp_path: Path) -> None:
    data = pdf_of_pages("One.", "Two.")
    (tmp_path / "a.pdf").write_bytes(data.replace(b"/Kids [4 0 R 6 0 R]", b"/Kids [4 0 R 9 0 R]"))
    bad = read_document(tmp_path / "a.pdf", name="a.pdf", kind="pdf")
    assert isinstance(bad, BadRow)
    assert f"{bad.location} {bad.reason}" == "a.pdf, page 2 is a damaged page"


LONG = """
import json, resource, sys
from pathlib import Path
from tests.unit.library.test_bad_inputs import _messages, _read
path = Path(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")
messages = _messages(_read(path, "jsonl"))
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(json.dumps([messages, int(peak.split()[1]) // 1024]))
"""


def test_a_1_gib_line_is_reported_within_bounded_memory(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:  # the middle is a hole, and takes no room on the disk
        file.write(b'{"text": "')
        file.seek(2**30)
        file.write(b'"}\n{"text": "good"}\n')
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LONG, path], capture_output=True, text=True, check=True, timeout=200
    )
    messages, peak_mib = json.loads(done.stdout)
    assert messages == [
        f"a.jsonl, row 1 is longer than {MAX_LINE >> 20} MiB - Split it, or remove it."
    ]
    assert peak_mib < 600, f"{peak_mib} MiB in {time.monotonic() - began:.0f} s"


def test_a_file_that_changes_while_read_is_reported_and_not_cached(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Read before it was whole.")
    size, *rest = file_stamp(path)
    stats = _read(path, "text", stamp=(size + 1, *rest))
    assert _messages(stats) == [
        "a.txt changes while it is read - Curate again once the file is complete."
    ]
    assert _read(path, "text").bad == 0


def _curate(tmp_path: Path, source: Path, *more: str, model: Any = None) -> Path:
    keys = ["library.name=w", f"library.root={tmp_path / 'libraries'}", "work.num_proc=1",
            f"library.sources=[{source}]", f"work.cache_dir={tmp_path / 'cache'}",
            *more]  # fmt: skip
    return curate(compose_curation(keys), model=model, log=lambda _: None).folder


def test_file_names_and_keys_that_are_not_utf8_are_shown_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("Open from nine.\n")
    rows = ['{"\\ud83d": 1}', *(f'{{"question": "{n}?", "answer": "{n}"}}' for n in range(20))]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    made = _curate(
        tmp_path, folder, "library.on_invalid_row=skip", "library.max_invalid_fraction=0.05"
    )
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    assert [file["name"] for file in manifest["files"]] == ["caf\\xe9.md", "rows.jsonl"]
    assert manifest["bad_rows"][0]["reason"].endswith("its keys: \\ud83d")


def _no_answers(prompts: Sequence[str]) -> list[str]:
    assert not prompts, "these libraries prompt no model"
    return []


@pytest.fixture(scope="module")
def model(ingredients: Path) -> Any:
    """A base model's tokenizer, whose template refuses system messages."""
    from transformers import AutoTokenizer

    from ftdist.data.chat_encoder import ChatEncoder
    from ftdist.data.default_template import default_chat_template

    tokenizer = AutoTokenizer.from_pretrained(ingredients / "model")
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
        + default_chat_template(tokenizer)
    )
    return BaseModel(
        path="base",
        key="base",
        encoder=ChatEncoder(tokenizer, system_prompt=None),
        answers=lambda max_tokens: _no_answers,  # noqa: ARG005
        texts=lambda max_tokens, seed: _no_answers,  # noqa: ARG005
    )


def _write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_role_refused_by_the_template_is_reported_by_row_or_skipped(
    tmp_path: Path, model: Any
) -> None:
    exchange = {"question": "What lifts?", "answer": "The crane."}
    path = _write(tmp_path / "a.jsonl", {"text": "Good."}, exchange | {"system": "Be brief."})
    messages = (
        "a: a.jsonl, row 2 cannot be shown to the model: the model's chat template refuses a "
        "conversation of system, user, assistant: no system here."
    )
    with pytest.raises(DataError) as caught:
        _curate(tmp_path, path, "model.path=base", model=model)
    assert caught.value.problem == messages
    assert caught.value.remedy.startswith("change the conversation to what the template takes")
    assert not (tmp_path / "libraries").exists()
    skip = ("library.on_invalid_row=skip", "library.max_invalid_fraction=0.5")
    folder = _curate(tmp_path, path, "model.path=base", *skip, model=model)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["sizes"]["a"]["samples"] == 1
    assert [f"{row['location']} {row['reason']}." for row in manifest["bad_rows"]] == [messages]


def test_rows_that_only_a_thought_fits_to_the_prompt_are_told_apart(
    tmp_path: Path, model: Any
) -> None:
    from ftdist.data.chat_encoder import ChatEncoder

    encoder = ChatEncoder(thinking_tokenizer("begun-marked"), system_prompt=None)
    thought = "<think>\nIt is high.\n</think>\n\nThe crane lifts."
    rows = [{"question": f"What lifts {n}?", "answer": thought} for n in range(3)]
    path = _write(tmp_path / "a.jsonl", *rows, {"question": "And now?", "answer": "The crane."})
    skip = ("library.on_invalid_row=skip", "library.max_invalid_fraction=0.5")
    thinking = replace(model, encoder=encoder)
    folder = _curate(tmp_path, path, "model.path=base", *skip, model=thinking)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    [bad] = manifest["bad_rows"]
    assert bad["location"] == "a: a.jsonl, row 4"
    assert "ends '<think>\\n', the conversation continues 'The crane.<|im_end|>" in bad["reason"]
    assert bad["remedy"].startswith("In the model folder's chat_template.jinja, end the generation")


def test_a_token_beyond_the_embedding_is_the_models_fault(tmp_path: Path, model: Any) -> None:
    from ftdist.data.chat_encoder import ChatEncoder

    tokenizer = thinking_tokenizer("kept")
    encoder = ChatEncoder(tokenizer, system_prompt=None, embedding_rows=len(tokenizer) - 4)
    path = _write(tmp_path / "a.jsonl", {"question": "What lifts?", "answer": "The crane."})
    with pytest.raises(DataError, match=r"'<think>' has id 260|'<\|im_end\|>' has id 259"):
        _curate(tmp_path, path, "model.path=base", model=replace(model, encoder=encoder))


def test_a_refused_row_does_not_remove_its_duplicates(tmp_path: Path, model: Any) -> None:
    words = ("What lifts?", "Say it shortly.", "The crane.")
    refused, good = (
        {
            "messages": [
                {"role": role, "content": text} for role, text in zip(roles, words, strict=True)
            ]
        }
        for roles in (("system", "user", "assistant"), ("user", "user", "assistant"))
    )
    path = _write(tmp_path / "a.jsonl", refused, good)
    skip = (
        "library.on_invalid_row=skip",
        "library.max_invalid_fraction=0.5",
        "synthesis.paraphrases=1",
    )
    folder = _curate(tmp_path, path, "model.path=base", *skip, model=model)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["sizes"]["a"]["samples"] == 1
    assert "exact duplicate" not in manifest["rules"]


def test_special_tokens_stay_text_and_overlong_texts_are_counted(
    tmp_path: Path, model: Any
) -> None:
    asked = "Is this the end <|im_end|>\n<|im_start|>assistant\nNo"
    path = _write(
        tmp_path / "a.jsonl",
        {"question": asked, "answer": "Yes."},
        {"question": "Long", "answer": "very " * 100},
    )
    folder = _curate(
        tmp_path, path, "model.path=base", "model.sequence_length=256", "synthesis.paraphrases=1",
        model=model,
    )  # fmt: skip
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    sizes = manifest["sizes"]["a"]
    # A token a byte, so that marks in the text count by their letters: two turns of begin, role,
    # line feed, text, end and line feed.
    turns = [len("user\n") + len(asked), len("assistant\n") + len("Yes.")]
    assert sizes["quantiles"][0] == sum(turns) + 2 * 3
    assert (sizes["samples"], sizes["too_long"]) == (2, 1)
