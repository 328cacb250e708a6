"""A preparation that is killed goes on; a row that ends its process is named."""

import multiprocessing
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ftdist.config.schema import RunConfig
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.encoder_file import save_encoder
from ftdist.errors import DataError, StorageError
from ftdist.prepare import crashing_row, journal, portions, source, tokenize_shard
from ftdist.prepare.crashing_row import CrashingRowError, retry_row_by_row
from ftdist.prepare.main import prepare
from ftdist.prepare.mixture import find_source_files
from ftdist.prepare.portions import Part
from ftdist.prepare.tokenize_shard import BuildSettings, Counts, Portion, Task
from tests.support.models.word_tokenizer import row, with_library, write_rows

pytestmark = pytest.mark.timeout(120)

DEADLY = "w666"
SETTINGS = BuildSettings(
    sequence_length=32, overlong="error", on_invalid_row="error", held_out=0, seed=1
)
PORTION = Portion(
    lengths=array("q", [3]),
    loss_counts=array("q", [2]),
    teacher_lengths=array("q", [0]),
    answer_hashes=array("Q", [7]),
    fact_hashes=array("Q", [9]),
    units=array("q", [0]),
    unit_hashes=array("Q", [8]),
    counts=Counts(conversations=1),
)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rows in portions of about 10, tokenised in this process; the names of those it tokenised."""
    names: list[str] = []
    encode_task = tokenize_shard.encode_task

    def recorded(task: Task) -> Portion:
        names.extend(f"{part.name} {part.first_row}" for part in task.parts)
        return encode_task(task)

    monkeypatch.setattr(portions, "PORTION_BYTES", 1200)
    monkeypatch.setattr(source, "map_in_order", lambda work, tasks, **_: map(work, tasks))
    monkeypatch.setattr(source, "encode_task", recorded)
    monkeypatch.setattr(journal, "_FLUSH_EVERY_S", 0)
    return names


def test_a_killed_preparation_goes_on_and_ends_with_the_same_bytes(
    config: RunConfig, tmp_path: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "library/rows.jsonl", [row(2, 3, start=at) for at in range(150)])
    whole = prepare(with_library(config, cache_dir=str(tmp_path / "whole")))
    portions = encoded.copy()
    assert len(portions) > 4

    add = journal.Journal.add

    def killed_after_the_third(self: journal.Journal, *args: Any, **kwargs: Any) -> None:
        add(self, *args, **kwargs)
        if len(encoded) == len(portions) + 3:
            os._exit(9)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "add", killed_after_the_third)
        child = multiprocessing.get_context("fork").Process(target=prepare, args=(config,))
        child.start()
        child.join(60)
        assert child.exitcode == 9
    [left] = (tmp_path / "cache").iterdir()
    with (left / "source-000" / "ids.bin").open("ab") as file:
        file.write(b"half of a portion")
    encoded.clear()
    resumed = prepare(config)
    assert encoded == portions[3:]
    assert _files(resumed.path) == _files(whole.path)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [resumed.key]


def test_a_journal_cut_by_a_crash_ends_before_the_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_FLUSH_EVERY_S", 0)
    parts = [(Part(path=tmp_path, name=name, kind="jsonl"),) for name in "abc"]
    written = journal.Journal(tmp_path / "journal")
    for each in parts[:2]:
        written.add(each, PORTION, written=())
    whole = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(whole[:-5])
    assert list(journal.Journal(tmp_path / "journal").read(parts)) == [PORTION]
    assert (tmp_path / "journal").read_bytes() == whole[: len(whole) // 2]


@pytest.mark.parametrize("renamed", ["tokenize_shard", "Portion", "notes"])
def test_a_journal_of_another_version_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renamed: str
) -> None:
    monkeypatch.setattr(journal, "_FLUSH_EVERY_S", 0)
    parts = (Part(path=tmp_path, name="a", kind="jsonl"),)
    path = tmp_path / "journal"
    journal.Journal(path).add(parts, PORTION, written=())
    name = renamed.encode()
    assert name in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(name, name[::-1]))
    assert not list(journal.Journal(path).read([parts]))
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("ended_by", "raised"), [(OSError, StorageError), (KeyboardInterrupt, KeyboardInterrupt)]
)
def test_work_is_kept_on_a_full_disk_and_while_other_libraries_are_prepared(
    config: RunConfig,
    encoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    ended_by: type[BaseException],
    raised: type[BaseException],
) -> None:
    folder = Path(config.library.path)
    write_rows(folder / "rows.jsonl", [row(2, 3, start=at) for at in range(150)])
    _prepare_until(config, ended_by, portion=3, monkeypatch=monkeypatch, raised=raised)
    begun = encoded.copy()
    assert len(begun) == 3
    prepare(with_library(config, held_out_fraction=0.2))
    encoded.clear()
    prepare(config)
    assert encoded
    assert not set(encoded) & set(begun)


@pytest.mark.parametrize(
    ("error", "kept"), [(CrashingRowError, True), (DataError, False)], ids=["crash", "invalid"]
)
def test_work_is_kept_for_a_row_that_may_lack_memory_but_not_for_one_to_correct(
    config: RunConfig,
    tmp_path: Path,
    encoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[DataError],
    *,
    kept: bool,
) -> None:
    folder = Path(config.library.path)
    write_rows(folder / "rows.jsonl", [row(2, 3, start=at) for at in range(150)])
    ended_by = error("A row.", remedy="correct it.")
    _prepare_until(config, ended_by, portion=3, monkeypatch=monkeypatch, raised=error)
    assert encoded
    assert len(list((tmp_path / "cache").iterdir())) == kept


def _prepare_until(
    config: RunConfig,
    ended_by: type[BaseException] | BaseException,
    *,
    portion: int,
    monkeypatch: pytest.MonkeyPatch,
    raised: type[BaseException],
) -> None:
    """Prepare until so many portions are written, and then fail."""
    read: list[Portion] = []
    take = source.SourceBuilder._take

    def fail(self: source.SourceBuilder, taken: Portion) -> None:
        take(self, taken)
        read.append(taken)
        if len(read) == portion:
            raise ended_by

    with monkeypatch.context() as patch:
        patch.setattr(source.SourceBuilder, "_take", fail)
        with pytest.raises(raised):
            prepare(config)


class _DeadlyEncoder(ChatEncoder):
    def encode_many(self, chats: Any) -> Any:
        if any(DEADLY in message["content"] for chat in chats for message in chat.messages):
            os._exit(9)
        return super().encode_many(chats)


def test_the_row_that_ends_its_process_is_named(
    config: RunConfig, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(2, 3, start=at) for at in range(40)]
    rows[22]["question"] = DEADLY
    write_rows(Path(config.library.path) / "rows.jsonl", rows)
    files = find_source_files(config)["library"]
    builder = source.SourceBuilder(
        name="library",
        folder=tmp_path,
        encoder=_DeadlyEncoder(AutoTokenizer.from_pretrained(model), system_prompt=None),
        settings=SETTINGS,
    )
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=builder.build, args=(files,))
    child.start()
    child.join(60)
    assert child.exitcode == 9  # small enough to be tokenised in the process that reports errors
    monkeypatch.setattr(source, "map_in_order", _all_crash)
    with pytest.raises(CrashingRowError) as error:
        builder.build(files)
    assert error.value.problem == (
        "library: rows.jsonl, row 23 ends the process that tokenises it."
    )


def _all_crash(
    work: Any, tasks: Sequence[Task], *, on_crash: Callable[[Task], Portion], **_: Any
) -> Iterator[Portion]:
    """Results of `map_in_order` if each worker crashes; it has tests of its own."""
    return map(on_crash, tasks)


def test_a_portion_whose_process_somebody_ended_is_tokenised(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(2, 3, start=at) for at in range(40)])
    encoder = ChatEncoder(AutoTokenizer.from_pretrained(model), system_prompt=None)
    save_encoder(encoder, tmp_path / "encoder")
    task = Task(
        parts=(Part(path=tmp_path / "rows.jsonl", name="library: rows.jsonl", kind="jsonl"),),
        settings=SETTINGS,
        encoder=tmp_path / "encoder",
        ids=tmp_path / "0.ids",
        loss=tmp_path / "0.loss",
        teacher=tmp_path / "0.teacher",
    )
    monkeypatch.setattr(crashing_row, "run_alone", lambda work, task, **_: work(task))
    assert len(retry_row_by_row(task).lengths) == 40


def _files(folder: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != "card.json"
    }
