"""Which files and rows of a library are trained on, and which are reported."""

from pathlib import Path

import pytest

from ftdist.config.schema import RunConfig, SourceConfig
from ftdist.data.packed_dataset import PackedLibrary
from ftdist.errors import ConfigError, DataError
from ftdist.library.store.dataset import MANIFEST
from ftdist.prepare.main import prepare
from tests.support.models.word_tokenizer import (
    row,
    with_library,
    write_rows,
)


@pytest.mark.fault("D1")
def test_a_bad_row_stops_or_is_skipped_and_counted(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10), {"question": "w1", "answer": ""}])
    with pytest.raises(DataError) as caught:
        prepare(config)
    assert caught.value.problem == "library: a.jsonl, row 2 has no text in the answer."
    assert caught.value.remedy == (
        "correct library: a.jsonl, row 2, or set library.on_invalid_row=skip to leave such "
        "rows out."
    )
    facts = prepare(with_library(config, on_invalid_row="skip"))
    [card] = PackedLibrary.open(Path(facts.path)).card["sources"]
    assert (facts.sources[0].samples, card["skipped"]) == (1, 1)
    assert card["first_skipped"] == ["library: a.jsonl, row 2 has no text in the answer."]


def test_what_the_readers_left_out_is_printed_once_per_source_and_is_in_the_card(
    config: RunConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [row(5, 10) | {"verified": False}, row(6, 10) | {"verified": True}]
    write_rows(tmp_path / "library/a.jsonl", rows)
    facts = prepare(config)
    lines = [line for line in capfd.readouterr().err.splitlines() if "verified" in line]
    first = "library: a.jsonl, row 1: False"
    assert lines == [f"prepare: library: unused key: verified: 2 times, the first in {first}"]
    [card] = PackedLibrary.open(Path(facts.path)).card["sources"]
    assert card["notes"] == {"unused key: verified": [2, first]}


def test_a_conversation_that_begins_with_the_assistant_is_a_bad_row(
    config: RunConfig, tmp_path: Path
) -> None:
    hello = [{"role": "assistant", "content": "w1"}]
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10), {"messages": hello}])
    with pytest.raises(DataError, match=r"a.jsonl, row 2 begins with the assistant"):
        prepare(config)
    assert prepare(with_library(config, on_invalid_row="skip")).sources[0].samples == 1


def test_an_empty_or_missing_folder_is_refused_by_its_key(
    config: RunConfig, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"library.path=.*library holds no file"):
        prepare(config)
    (tmp_path / "library/manual.pdf").touch()
    with pytest.raises(DataError, match=r"holds only .pdf, none of .jsonl"):
        prepare(config)
    missing = SourceConfig(path=f"{tmp_path}/none", weight=1.0)
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    with pytest.raises(DataError, match=r"library.extra_sources.replay.path=.*none does not exist"):
        prepare(with_library(config, extra_sources={"replay": missing}))
    with pytest.raises(ConfigError, match="the name of the library itself"):
        prepare(with_library(config, extra_sources={"library": missing}))


@pytest.mark.parametrize("option", ["subset", "split", "revision"])
def test_options_of_datasets_are_refused_for_a_curated_library(
    config: RunConfig, tmp_path: Path, option: str
) -> None:
    (tmp_path / "library" / MANIFEST).write_text("{}")
    with pytest.raises(ConfigError, match=rf"library\.{option}=v2, and .* is a curated library"):
        prepare(with_library(config, **{option: "v2"}))


def test_a_revision_of_local_data_is_refused(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "library/state.json").write_text('{"_data_files": [{"filename": "a.jsonl"}]}')
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    for path in (tmp_path / "library", tmp_path / "library/a.jsonl"):
        with pytest.raises(DataError, match="is local, and revision=v9 is asked for"):
            prepare(with_library(config, path=str(path), revision="v9"))


def test_a_split_with_files_that_cannot_be_read_is_refused(
    config: RunConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "library"
    card = "---\nconfigs:\n- config_name: default\n  data_files: data/*\n---\n"
    (folder / "README.md").write_text(card)
    (folder / "data").mkdir()
    for name in ("a.jsonl", "b.jsonl.xz", "probes.jsonl"):
        write_rows(folder / "data" / name, [row(5, 10)])
    with pytest.raises(DataError) as caught:
        prepare(config)
    assert caught.value.problem == (
        f"library.path: of the split train of {folder}, ftdist cannot read b.jsonl.xz."
    )
    (folder / "data/b.jsonl.xz").unlink()
    assert prepare(config).sources[0].samples == 1


def test_probes_hidden_files_and_link_cycles_are_not_trained(
    config: RunConfig, tmp_path: Path
) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    for name in ("probes.jsonl", "probes_retention.jsonl", ".old.jsonl", ".git/b.jsonl"):
        write_rows(tmp_path / "library" / name, [row(1, 1) | {"keys": ["w1"]}])
    (tmp_path / "library/again").symlink_to(tmp_path / "library")
    facts = prepare(config)
    assert facts.sources[0].samples == 1
    [card] = PackedLibrary.open(Path(facts.path)).card["sources"]
    assert card["ignored_files"] == ["probes.jsonl", "probes_retention.jsonl"]
    with pytest.raises(DataError, match="probes are questions to measure with"):
        prepare(with_library(config, path=f"{tmp_path}/library/probes.jsonl"))


def test_a_link_out_of_the_library_is_refused(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    write_rows(tmp_path / "elsewhere.jsonl", [row(5, 10)])
    (tmp_path / "library/b.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    with pytest.raises(DataError, match="it is a link that points outside its folder"):
        prepare(config)


def test_rows_about_probes_are_trained(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/probes-faq.jsonl", [row(5, 10)])
    assert prepare(config).sources[0].samples == 1


def test_an_error_names_the_source_of_its_row(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    write_rows(tmp_path / "replay/a.jsonl", [{"question": "w1", "answer": ""}])
    replay = {"replay": SourceConfig(path=str(tmp_path / "replay"), weight=1.0)}
    with pytest.raises(DataError, match=r"^replay: a\.jsonl, row 1 has no text in the answer"):
        prepare(with_library(config, extra_sources=replay))


def test_an_unlistable_folder_is_refused_by_name(config: RunConfig, tmp_path: Path) -> None:
    too_long = with_library(config, path=str(tmp_path / ("x" * 300)))
    with pytest.raises(DataError, match=r"library\.path: .* cannot be read: File name too long"):
        prepare(too_long)


_PAGE = "<!doctype html><html><body><p>Hold the button.</p></body></html>"


def test_files_that_are_not_read_are_named_with_the_command_for_documents(
    config: RunConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "library"
    write_rows(library / "a.jsonl", [row(5, 10)])
    write_rows(library / "probes.jsonl", [{"question": "w1", "answer": "w2", "keys": ["w2"]}])
    for name in ("b.html", "c.xyz", "d.xyz"):
        (library / name).write_text(_PAGE if name == "b.html" else "plain text")
    for _ in ("packed", "from the cache"):
        prepare(config)
        lines = [line for line in capfd.readouterr().err.splitlines() if "not read" in line]
        assert lines == [
            "prepare: library: 4 files not read: b.html, c.xyz, d.xyz and 1 more. To learn "
            "documents, make a library of them: ftdist curate library.name=NAME "
            f"'library.sources=[{library}]'"
        ]


def test_a_folder_of_documents_is_answered_with_the_command_that_reads_them(
    config: RunConfig, tmp_path: Path
) -> None:
    (tmp_path / "library/manual.html").write_text(_PAGE)
    with pytest.raises(DataError, match=r"holds only .html, none of .jsonl") as caught:
        prepare(config)
    assert caught.value.remedy == (
        "make a library of these documents: ftdist curate library.name=NAME "
        f"'library.sources=[{tmp_path / 'library'}]'; then set library.path=libraries/NAME."
    )
