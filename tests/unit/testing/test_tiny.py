"""The tiny model and its library."""

import stat
from pathlib import Path

import pytest

from ftdist.errors import StorageError
from ftdist.evaluation.probes import read_probes
from ftdist.io.jsonl import read_json_lines
from ftdist.testing import tiny
from ftdist.text.matching import cited_pages, contains_all, words


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("tiny") / "made")


def test_the_model_is_small_and_complete(made: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(made / "model", use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    assert model.config.model_type == "llama"
    assert sum(p.numel() for p in model.parameters()) < 1_000_000
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    text = "How do I \u00fcberhaupt reset it?\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_files_have_ordinary_modes(made: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in made.rglob("*") if path.is_file()}
    assert len(modes) == 1
    assert modes.pop() & stat.S_IRUSR


def test_no_probe_repeats_a_training_question(made: Path) -> None:
    chats = list(read_json_lines(made / "library" / "fernbot.jsonl"))
    trained = {words(chat["messages"][0]["content"]) for chat in chats}
    probes = read_probes(made / "library" / "probes.jsonl")
    assert len(chats) == len(trained) == len(tiny.TRAIN) * len(tiny.FACTS)
    assert not [probe for probe in probes if words(probe.question) in trained]
    for probe in probes:
        if probe.kind == "fact":
            assert contains_all(probe.answer, probe.keys)
            assert len(cited_pages(probe.answer)) == 1


def test_a_second_call_reuses_the_model(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    assert tiny.make(made) == made
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*")}


def test_the_output_is_identical_in_any_folder(made: Path, tmp_path: Path) -> None:
    again = tiny.make(tmp_path / "again")
    for path in made.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(made)).read_bytes() == path.read_bytes()


def test_an_older_format_is_replaced_and_other_files_are_untouched(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "made.json").write_text('{"format": 0}')
    assert (tiny.make(old) / "model" / "config.json").is_file()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("precious")
    with pytest.raises(StorageError, match="tiny model and library cannot be written"):
        tiny.make(other)
    assert [path.name for path in other.iterdir()] == ["mine.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "other"]
