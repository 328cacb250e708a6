"""A library tokenised, packed and cached, once; worked by hand on a tokenizer of whole words."""

import json
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.config.schema import RunConfig, SourceConfig
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.packed_dataset import PackedLibrary, PackedSource
from ftdist.errors import ConfigError, DataError, FtdistError, ModelError, StorageError
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.prepare.chunking import cut_text
from ftdist.prepare.main import main, prepare

WORDS = [f"w{number}" for number in range(2000)]
TEMPLATE = (
    "{% for m in messages %}{{ m.role + ' : ' + m.content }}"
    "{{ ' </s> ' if m.role == 'assistant' else ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant : ' }}{% endif %}"
)


def words(count: int, *, start: int = 0) -> str:
    """Text of `count` tokens."""
    return " ".join(WORDS[(start + at) % len(WORDS)] for at in range(count))


def row(question: int, answer: int, *, start: int = 0) -> dict[str, str]:
    """A conversation of question + answer + 5 tokens, answer + 1 of them learned."""
    return {"question": words(question, start=start), "answer": words(answer, start=start)}


def write_rows(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in rows))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer, one token a word."""
    vocabulary = ["<unk>", "</s>", "user", "assistant", "system", ":", *WORDS]
    core = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate(vocabulary)}, unk_token="<unk>")
    )
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="</s>", unk_token="<unk>", chat_template=TEMPLATE
    )
    folder = tmp_path_factory.mktemp("model")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def config(tmp_path: Path, model: Path) -> RunConfig:
    """Sequences of 32 tokens; the library folder is there, empty."""
    (tmp_path / "library").mkdir()
    return compose(
        [
            "run.name=r",
            f"model.path={model}",
            f"library.path={tmp_path}/library",
            f"library.cache_dir={tmp_path}/cache",
            "library.held_out_fraction=0",
            "batch.sequence_length=32",
            "batch.tokens=64",
        ]
    )


def with_library(config: RunConfig, **values: Any) -> RunConfig:
    return replace(config, library=replace(config.library, **values))


def samples_of(source: PackedSource) -> list[list[int]]:
    found = []
    for index in range(len(source)):
        sequence = source.sequence(index)
        borders = np.cumsum(sequence.lengths)[:-1]
        found += [sample.tolist() for sample in np.split(sequence.input_ids, borders)]
    return found


def decoded(model: Path, samples: list[list[int]]) -> list[str]:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    return [tokenizer.decode(sample) for sample in samples]


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
    facts = prepare(with_library(config, extra_sources=sources, kl_to_base=["replay"]))
    assert [(s.name, s.kl_to_base) for s in facts.sources] == [
        ("library", False),
        ("replay", True),
    ]
    for names, problem in (
        (["reply"], "names reply, and the sources are library, replay"),
        (["library", "replay"], "names all sources"),
    ):
        with pytest.raises(ConfigError, match=problem):
            prepare(with_library(config, extra_sources=sources, kl_to_base=names))


def test_held_out_conversations_are_chosen_by_content(
    config: RunConfig, model: Path, tmp_path: Path
) -> None:
    rows = [row(2, 3, start=at) for at in range(40)]
    write_rows(tmp_path / "library/a.jsonl", rows)
    config = with_library(config, held_out_fraction=0.1)
    facts = prepare(config)
    [library] = facts.sources
    assert (library.samples, library.held_out_samples) == (36, 4)
    packed = PackedLibrary.open(Path(facts.path))
    train, held_out = (
        set(decoded(model, samples_of(part))) for part in (packed.train[0], packed.held_out[0])
    )
    assert (len(train), len(held_out)) == (36, 4)
    assert not train & held_out

    write_rows(tmp_path / "library/a.jsonl", rows[::-1])
    turned = PackedLibrary.open(Path(prepare(config).path))
    assert set(decoded(model, samples_of(turned.held_out[0]))) == held_out


def test_ten_samples_are_enough_to_hold_one_out(config: RunConfig, tmp_path: Path) -> None:
    for count, held_out in ((10, 1), (9, 0)):
        rows = [row(2, 3, start=at) for at in range(count)]
        write_rows(tmp_path / "library/a.jsonl", rows)
        [library] = prepare(with_library(config, held_out_fraction=0.01)).sources
        assert library.held_out_samples == held_out


def test_equal_conversations_are_held_out_together(config: RunConfig, tmp_path: Path) -> None:
    rows = [row(2, 3, start=at % 5) for at in range(20)]
    write_rows(tmp_path / "library/a.jsonl", rows)
    [library] = prepare(with_library(config, held_out_fraction=0.2)).sources
    assert library.held_out_samples == 4  # one of the five, four times


def test_a_library_of_one_text_holds_out_its_end(
    config: RunConfig, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "library/manual.txt").write_text(
        "\n\n".join(words(30, start=at) for at in range(20))
    )
    facts = prepare(with_library(config, held_out_fraction=0.1))
    assert (facts.sources[0].samples, facts.sources[0].held_out_samples) == (18, 2)
    held_out = PackedLibrary.open(Path(facts.path)).held_out[0]
    assert set(decoded(model, samples_of(held_out))) == {
        words(30, start=18),
        f"{words(30, start=19)} </s>",
    }


def test_holding_everything_out_is_refused(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [row(2, 3, start=at) for at in range(20)])
    with pytest.raises(DataError, match="keeps all 20 samples"):
        prepare(with_library(config, held_out_fraction=0.99))


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


def test_an_empty_training_set_reports_how_much_was_read(config: RunConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "library/a.jsonl", [{"question": "w1", "answer": ""}])
    with pytest.raises(
        DataError, match=r"1 files read, 1 rows skipped, 0 too long. The first: library: a"
    ):
        prepare(with_library(config, on_invalid_row="skip"))
    (tmp_path / "library/a.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds nothing to learn: 1 files read, 0 rows skipped"):
        prepare(config)


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


def test_a_text_is_cut_at_paragraphs(model: Path) -> None:
    encoder = ChatEncoder(PreTrainedTokenizerFast.from_pretrained(model), system_prompt=None)
    # 20 + 20 exceed 31 places; the third paragraph fits beside the second.
    text = "\n\n".join([words(20), words(20, start=20), words(5, start=40)])
    pieces = list(cut_text(text, encoder=encoder, sequence_length=32))
    assert [len(piece.input_ids) for piece in pieces] == [20, 26]  # the end token comes last
    assert pieces[1].loss == [False] + [True] * 25
    assert decoded(model, [piece.input_ids for piece in pieces])[0] == words(20)


def test_an_overlong_paragraph_is_split_at_lines_then_sentences_then_words(
    model: Path,
) -> None:
    encoder = ChatEncoder(PreTrainedTokenizerFast.from_pretrained(model), system_prompt=None)
    for pause, text in (
        ("line", words(20) + "\n" + words(40, start=20)),
        ("sentence", words(19) + " w1999. " + words(40, start=20)),
    ):
        pieces = [p.input_ids for p in cut_text(text, encoder=encoder, sequence_length=32)]
        assert [len(piece) for piece in pieces] == [20, 31, 10], pause
    pieces = [p.input_ids for p in cut_text(words(70), encoder=encoder, sequence_length=32)]
    assert [len(piece) for piece in pieces] == [31, 31, 9]


def test_pieces_of_a_long_text_are_the_whole_text(model: Path) -> None:
    encoder = ChatEncoder(PreTrainedTokenizerFast.from_pretrained(model), system_prompt=None)
    text = "\n\n".join(words(number % 90 + 1, start=number * 7) for number in range(1500))
    assert len(text) > 300_000  # more than one block
    pieces = [piece.input_ids for piece in cut_text(text, encoder=encoder, sequence_length=64)]
    assert max(map(len, pieces)) <= 64
    assert [token for piece in pieces for token in piece] == encoder.encode_text(text).input_ids


def with_model(config: RunConfig, folder: Path, fields: dict[str, Any]) -> RunConfig:
    """The config with a copy of its model folder that has a config.json."""
    shutil.copytree(config.model.path, folder)
    (folder / "config.json").write_text(json.dumps(fields))
    return replace(config, model=replace(config.model, path=str(folder)))


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
