"""A library tokenised, packed and cached, once; worked by hand on a tokenizer of whole words."""

import json
import re
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.saved_config import dump_config
from ftdist.config.schema import RunConfig, SourceConfig
from ftdist.data.packed_dataset import PackedLibrary
from ftdist.errors import ConfigError, DataError, FtdistError, ModelError, StorageError
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.prepare.main import main, prepare
from tests.support.models.word_tokenizer import (
    decoded,
    row,
    samples_of,
    with_library,
    with_model,
    words,
    write_rows,
)
from tests.support.runs.written_library import exchange, write_curated


def test_counts_worked_by_hand(config: RunConfig, model: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10), row(4, 6, start=50)])  # 20 and 15 tokens
    (tmp_path / "library/page.md").write_text(words(11))  # 12 tokens with its end, 11 learned
    facts = prepare(config)
    [library] = facts.sources
    assert (library.name, library.weight) == ("library", 1.0)
    assert (library.samples, library.sequences) == (3, 2)  # 20 + 12 fill a sequence
    assert library.tokens == 20 + 15 + 12
    assert library.loss_tokens == 11 + 7 + 11
    assert (library.held_out_samples, library.held_out_sequences) == (0, 0)

    packed = PackedLibrary.open(Path(facts.path))
    [train] = packed.train
    assert sorted(train.tokens.tolist()) == [15, 32]
    assert sorted(train.loss_tokens.tolist()) == [7, 22]
    assert f"user : {words(4, start=50)} assistant : {words(6, start=50)} </s>" in decoded(
        model, samples_of(train)
    )
    full = train.sequence(int(train.tokens.argmax()))
    assert int(full.loss.sum()) == 22
    assert sorted(full.lengths.tolist()) == [12, 20]
    [card] = packed.card["sources"]
    assert (card["conversations"], card["passages"]) == (2, 1)
    assert (card["skipped"], card["dropped"], card["truncated"]) == (0, 0, 0)


def test_answers_are_counted_once(config: RunConfig, tmp_path: Path) -> None:
    asked = [row(2, 3, start=at) | {"answer": words(3, start=at % 2)} for at in range(6)]
    write_rows(tmp_path / "library/a.jsonl", asked)
    (tmp_path / "library/page.md").write_text(words(11))
    [library] = prepare(config).sources
    # Two answers, thrice each; a piece of text is no answer.
    assert (library.samples, library.answered_samples, library.answers) == (7, 6, 2)
    # An answer that is kept out is not counted: one of ten.
    (tmp_path / "library/page.md").unlink()
    write_rows(tmp_path / "library/a.jsonl", [row(2, 3, start=at) for at in range(10)])
    [library] = prepare(with_library(config, held_out_fraction=0.1)).sources
    assert (library.samples, library.answers) == (9, 9)


def test_an_answer_without_a_fact_of_its_own_is_packed_and_not_counted(
    config: RunConfig, tmp_path: Path
) -> None:
    folder = write_curated(
        tmp_path / "curated",
        [
            exchange("What does it weigh?", "3 kg."),
            exchange("How heavy is it?", "3 kg."),
            exchange("Is it blue?", "Yes."),
            replace(exchange("What is it like?", "3 kg. Blue."), made_by="overview"),
        ],
    )
    [library] = prepare(with_library(config, path=str(folder))).sources
    # Weight twice and colour once; the overview is trained, and is no answer of its own.
    assert (library.samples, library.answered_samples, library.answers) == (4, 3, 2)


def test_rows_under_names_of_their_own_are_packed_as_those_under_usual_names(
    config: RunConfig, tmp_path: Path
) -> None:
    usual = row(5, 10)
    own = {"Query": usual["question"], "Reply": usual["answer"], "image": "x.png"}
    write_rows(tmp_path / "library/a.jsonl", [usual, own])
    columns = {"question": "Query", "answer": "Reply"}
    [library] = prepare(with_library(config, columns=columns, drop_columns=["image"])).sources
    assert (library.samples, library.tokens, library.answers) == (2, 40, 1)
    with pytest.raises(DataError, match="row 2 has image"):
        prepare(with_library(config, columns=columns))


def test_a_row_of_unknown_form_is_named_with_the_columns_of_another_file_and_the_remedy(
    config: RunConfig, tmp_path: Path
) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    write_rows(tmp_path / "library/b.jsonl", [{"Ask": "Q?", "Solution": "A."}])
    with pytest.raises(DataError) as error:
        prepare(config)
    assert error.value.problem.startswith("library: b.jsonl, row 1 has none of the known formats")
    assert error.value.problem.endswith(
        " library: b.jsonl has the columns Ask, Solution, and library: a.jsonl has answer, "
        "question."
    )
    assert error.value.remedy == (
        "set 'library.columns={question: Ask, answer: Solution}' if that is what they mean, or set "
        "library.on_invalid_row=skip to leave such rows out."
    )


def test_an_unchanged_library_is_prepared_once(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    first = prepare(config)
    made = Path(first.path).stat().st_mtime_ns
    assert stat.S_IMODE(Path(first.path).stat().st_mode) == 0o700  # run.private
    assert prepare(config) == first
    assert Path(first.path).stat().st_mtime_ns == made
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.key]


def test_the_cache_key_depends_only_on_the_inputs(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    write_rows(tmp_path / "replay/b.jsonl", [row(3, 4)])
    key = prepare(config).key

    def with_replay(weight: float) -> RunConfig:
        source = SourceConfig(path=f"{tmp_path}/replay", weight=weight)
        return with_library(config, extra_sources={"replay": source})

    assert prepare(with_replay(0.5)).key == prepare(with_replay(0.25)).key
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "library/a.jsonl").rename(tmp_path / "elsewhere/a.jsonl")
    moved = with_library(config, path=f"{tmp_path}/elsewhere")
    assert prepare(moved).key == key

    others = [
        with_replay(0.5),
        with_library(moved, system_prompt=words(2)),
        with_library(moved, held_out_fraction=0.5),
        with_library(moved, overlong="drop"),
        with_library(moved, on_invalid_row="skip"),
        replace(moved, batch=replace(moved.batch, sequence_length=64)),
        replace(moved, run=replace(moved.run, seed=9)),
    ]
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    keys = {key, *(prepare(other).key for other in others)}
    write_rows(tmp_path / "library/a.jsonl", [row(5, 11)])
    keys.add(prepare(config).key)
    assert len(keys) == 1 + len(others) + 1


def test_weights_come_from_the_config_even_with_a_cached_library(
    config: RunConfig, tmp_path: Path
) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    write_rows(tmp_path / "replay.jsonl", [row(3, 4), row(3, 5)])
    for weight in (0.5, 2.0):
        source = SourceConfig(path=f"{tmp_path}/replay.jsonl", weight=weight)
        facts = prepare(with_library(config, extra_sources={"replay": source}))
        assert [(s.name, s.weight, s.samples, s.own) for s in facts.sources] == [
            ("library", 1.0, 1, True),
            ("replay", weight, 2, False),
        ]
        assert facts.answers == 1  # replay's are none of the library's


def test_kl_sources_are_named_and_never_all(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    write_rows(tmp_path / "replay.jsonl", [row(3, 4), row(3, 5)])
    sources = {"replay": SourceConfig(path=f"{tmp_path}/replay.jsonl", weight=1.0)}
    kl = with_library(config, extra_sources=sources, kl_to_base=["replay"], kl_to_base_weight=2.5)
    facts = prepare(kl)
    assert [(s.name, s.kl_to_base, s.loss_weight) for s in facts.sources] == [
        ("library", False, 1.0),
        ("replay", True, 2.5),
    ]
    for names, problem in (
        (["reply"], "names reply, and the sources are library, replay"),
        (["library", "replay"], "names all sources"),
    ):
        with pytest.raises(ConfigError, match=problem):
            prepare(with_library(config, extra_sources=sources, kl_to_base=names))


@pytest.mark.fault("D3")
def test_an_overlong_conversation_is_reported_with_the_keys_to_set(
    config: RunConfig, tmp_path: Path
) -> None:
    write_rows(tmp_path / "library/sub/a.jsonl", [row(5, 10), row(20, 10)])
    with pytest.raises(DataError) as caught:
        prepare(config)
    assert caught.value.problem == (
        "library: sub/a.jsonl, row 2 is 35 tokens long, but batch.sequence_length=32."
    )
    assert "batch.sequence_length to 35 or more" in caught.value.remedy
    assert "library.overlong" in caught.value.remedy
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.fault("D3")
def test_long_conversations_are_dropped_or_cut_and_counted(
    config: RunConfig, tmp_path: Path
) -> None:
    # 35 tokens: cut to 32, of the 11 learned 8 stay. 55 tokens: the answer lies beyond.
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10), row(20, 10), row(45, 5)])
    for overlong, counts, loss_tokens in (("drop", (2, 0), 11), ("truncate", (1, 1), 11 + 8)):
        facts = prepare(with_library(config, overlong=overlong))
        [card] = PackedLibrary.open(Path(facts.path)).card["sources"]
        assert (card["dropped"], card["truncated"]) == counts
        assert facts.sources[0].loss_tokens == loss_tokens


@pytest.mark.fault("D2")
def test_an_empty_training_set_reports_how_much_was_read(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [{"question": "w1", "answer": ""}])
    with pytest.raises(
        DataError, match=r"1 files read, 1 rows skipped, 0 too long. The first: library: a"
    ):
        prepare(with_library(config, on_invalid_row="skip"))
    (tmp_path / "library/a.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds nothing to learn: 1 files read, 0 rows skipped"):
        prepare(config)


def test_a_model_without_a_tokenizer_is_refused(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    (tmp_path / "empty").mkdir()
    for path, problem in (
        (tmp_path / "empty", r"model.path=.*empty has no tokenizer that can be read\.$"),
        (tmp_path / "none", r"model.path=.*none does not exist\.$"),
    ):
        with pytest.raises(ModelError) as caught:
            prepare(replace(config, model=replace(config.model, path=str(path))))
        assert re.match(problem, caught.value.problem)


def test_an_unwritable_cache_is_a_storage_error(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    (tmp_path / "taken").touch()
    with pytest.raises(StorageError, match="cannot be written to"):
        prepare(with_library(config, cache_dir=f"{tmp_path}/taken"))


def test_two_processes_at_once_make_one_folder(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(2, 3, start=at) for at in range(500)])
    (tmp_path / "config.yaml").write_text(dump_config(config))
    outs = [tmp_path / f"{number}.json" for number in range(2)]
    commands = [
        [sys.executable, "-m", "ftdist.prepare.main", str(tmp_path / "config.yaml"), str(out)]
        for out in outs
    ]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    for process in started:
        _, output = process.communicate(timeout=120)
        assert process.returncode == 0, output.decode()
    first, second = (PackedDatasetInfo.from_json(out.read_text()) for out in outs)
    assert first == second
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.key]
    assert first.sources[0].samples == 500


def test_the_loser_of_a_race_uses_the_winners_folder(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    winner = Path(prepare(config).path)
    made = (winner / "card.json").stat().st_mtime_ns
    looked = iter([False])  # the loser looked before the winner's rename

    is_file = Path.is_file
    monkeypatch.setattr(
        Path,
        "is_file",
        lambda path: next(looked, True) if path.name == "card.json" else is_file(path),
    )
    prepare(config)
    assert (winner / "card.json").stat().st_mtime_ns == made
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [winner.name]


def test_the_command_returns_facts_or_problems(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(dump_config(config))
    files = [str(tmp_path / name) for name in ("config.yaml", "out.json")]
    assert main(files) == 78
    output = json.loads((tmp_path / "out.json").read_text())
    assert output["exit_code"] == 78
    assert "holds no file" in output["problem"]
    assert output["remedy"].startswith("set library.path")

    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    assert main(files) == 0
    assert PackedDatasetInfo.from_json((tmp_path / "out.json").read_text()) == prepare(config)


def test_every_error_has_a_remedy(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(FtdistError) as caught:
        prepare(config)
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_type": "no-such-model"}, "transformers cannot read"),
        ({"model_type": "t5"}, "is no causal language model"),
        ({"model_type": "llama", "hidden_size": "many"}, "transformers cannot read"),
    ],
)
def test_a_non_causal_model_is_refused_before_reading_the_library(
    config: RunConfig, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    with pytest.raises(ModelError, match=reason):
        prepare(with_model(config, tmp_path / "m", fields))
    assert not (tmp_path / "cache").exists()


def test_a_broken_chat_template_is_not_blamed_on_a_row(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(5, 10)])
    broken = with_model(config, tmp_path / "m", {"model_type": "llama"})
    (tmp_path / "m/chat_template.jinja").write_text("{% for m in messages %}{{ m.content }")
    with pytest.raises(ModelError) as caught:
        prepare(with_library(broken, on_invalid_row="skip"))
    assert caught.value.problem.startswith("The model's chat template is broken:")
