"""Which files of a source are read, ignored or rejected, by their kinds."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow
import pyarrow.ipc
import pytest

from ftdist.errors import DataError
from ftdist.library.readers.discovery import FoundSource, find_sources
from tests.support.superuser import without_superuser

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


def _find(path: Path) -> FoundSource:
    [source] = find_sources([str(path)], key="library.sources")
    return source


def _bad(source: FoundSource) -> list[str]:
    return [f"{row.location} {row.reason} - {row.remedy}" for row in source.bad]


def _loop(folder: Path) -> None:
    (folder / "round").symlink_to(folder / "round")


def _nowhere(folder: Path) -> None:
    (folder / "link.md").symlink_to(folder / "none.md")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.md")


@pytest.mark.parametrize(
    ("make", "messages"),
    [
        (_loop, "s: round cannot be read: Too many levels of symbolic links"),
        (_nowhere, "s: link.md cannot be read: No such file or directory"),
        (_pipe, "s: pipe.md is not a file but a folder, pipe, socket or device"),
    ],
)
def test_link_loops_dangling_links_and_pipes_are_reported_without_blocking(
    tmp_path: Path, make: Callable[[Path], None], messages: str
) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    make(folder)
    [bad] = _bad(_find(folder))
    assert bad.startswith(f"{messages} - ")


def test_link_cycles_and_links_outside_the_folder_are_not_followed(tmp_path: Path) -> None:
    folder, out = tmp_path / "s", tmp_path / "out"
    for each in (folder / "sub", out):
        each.mkdir(parents=True)
        (each / f"{each.name}.md").write_text("Some text.\n")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "again").symlink_to(folder)
    (folder / "sub" / "out").symlink_to(out)
    whole, pattern = _find(folder), _find(folder / "**" / "*.md")
    assert [file.name for file in (*whole.files, *pattern.files)] == ["sub/sub.md"] * 2
    outside = "cannot be read: it is a link that points outside its folder"
    assert [bad.partition(" - ")[0] for bad in _bad(whole)] == [f"s: sub/out {outside}"]
    (folder / "only").mkdir()
    (folder / "only" / "link.md").symlink_to(out / "out.md")
    for named in (folder / "only", folder / "only" / "*.md"):
        [bad] = _bad(_find(named))
        assert bad.startswith(f"only: link.md {outside} - ")


def test_a_snapshot_of_the_hub_cache_is_read_through_its_links(tmp_path: Path) -> None:
    snapshot = tmp_path / "datasets--org--name" / "snapshots" / "4fc1"
    blobs = tmp_path / "datasets--org--name" / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    (blobs / "0a").write_text("Some text.\n")
    (snapshot / "a.md").symlink_to("../../blobs/0a")
    found = _find(snapshot)
    assert [file.name for file in found.files] == ["a.md"]
    assert _bad(found) == []


def test_link_named_as_a_source_is_followed(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "a.md").write_text("Some text.\n")
    (tmp_path / "a.md").symlink_to(tmp_path / "v2" / "a.md")
    assert [file.name for file in _find(tmp_path / "a.md").files] == ["a.md"]


def test_empty_folder_and_pattern_without_matches_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(DataError, match="s contains nothing to read") as caught:
        _find(tmp_path / "s")
    assert caught.value.remedy == "name a file or folder of documents or conversations."
    with pytest.raises(DataError, match=r"no file matches .*\*\.md"):
        _find(tmp_path / "s" / "*.md")
    with pytest.raises(DataError, match="is not a valid glob pattern"):
        _find(tmp_path / "s" / "**.md")


FIND = """
import sys
from pathlib import Path
from ftdist.errors import DataError
from tests.unit.library.readers.test_discovery import _bad, _find
for path in sys.argv[1:]:
    try:
        print(*_bad(_find(Path(path))), sep="; ")
    except DataError as error:
        print(error.problem)
"""


def test_folders_and_files_without_permission_are_reported(tmp_path: Path) -> None:
    shut, inner, unsearchable = (tmp_path / name for name in ("shut", "inner", "list"))
    for folder in (shut, inner / "shut", unsearchable / "sub"):
        folder.mkdir(parents=True)
        (folder / "a.md").write_text("Some text.\n")
    (unsearchable / "a.md").write_text("Some text.\n")
    for folder, mode in ((shut, 0), (inner / "shut", 0), (unsearchable, 0o444)):
        folder.chmod(mode)
    places: Sequence[Path] = (shut, inner, unsearchable, shut / "a.md")
    done = subprocess.run(
        [*without_superuser(), sys.executable, "-c", FIND, *places],
        capture_output=True, text=True, check=True, timeout=200,
    )  # fmt: skip
    remedy = "Grant yourself permission to read it, or remove it."
    assert done.stdout.splitlines() == [
        f"shut: shut/ cannot be read: Permission denied - {remedy}",
        f"inner: shut/ cannot be read: Permission denied - {remedy}",
        f"list: sub/ cannot be read: Permission denied - {remedy}; "
        f"list: a.md cannot be read: Permission denied - {remedy}",
        f"library.sources: {shut / 'a.md'} cannot be read: Permission denied.",
    ]
    for folder in (shut, inner / "shut", unsearchable):
        folder.chmod(0o700)
