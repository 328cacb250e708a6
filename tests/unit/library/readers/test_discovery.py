"""Which files of a source are read, ignored or rejected, by their kinds."""

import json
from pathlib import Path

import pyarrow
import pyarrow.ipc

from ftdist.library.readers.discovery import find_sources

PROBE = '{"kind": "fact", "question": "Why?", "answer": "So.", "keys": ["so"]}\n'
ROW = '{"question": "Why?", "answer": "So."}\n'


def test_probes_in_a_folder_are_ignored_and_rejected_if_named(tmp_path: Path) -> None:
    (tmp_path / "asked.jsonl").write_text(PROBE)
    (tmp_path / "rows.jsonl").write_text(ROW)
    [folder] = find_sources([str(tmp_path)], key="library.sources")
    assert [file.name for file in folder.files] == ["rows.jsonl"]
    assert folder.ignored == ("asked.jsonl (probes)",)
    [named] = find_sources([str(tmp_path / "asked.jsonl")], key="library.sources")
    [bad] = named.bad
    assert bad.reason == "holds probes, which are never learned"
    assert bad.remedy == "Name it in eval.probes."


def test_rows_in_a_file_called_probes_are_read_if_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "probes-faq.jsonl").write_text(ROW)
    [source] = find_sources([str(tmp_path / "probes-faq.jsonl")], key="library.sources")
    assert [(file.name, file.kind) for file in source.files] == [("probes-faq.jsonl", "jsonl")]


def test_what_datasets_saves_beside_its_rows_is_ignored(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["Hold it."]})
    with pyarrow.ipc.new_stream(
        str(tmp_path / "data-00000-of-00001.arrow"), table.schema
    ) as writer:
        writer.write_table(table)
    for name in ("dataset_info.json", "state.json"):
        (tmp_path / name).write_text(json.dumps({"features": {}}))
    [source] = find_sources([str(tmp_path)], key="library.sources")
    assert [file.kind for file in source.files] == ["arrow"]
    assert source.ignored == ("dataset_info.json", "state.json")
