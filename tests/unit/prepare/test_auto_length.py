"""`batch.sequence_length=auto`: chosen from the library, and packed as if it had been typed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.config.schema import RunConfig
from ftdist.prepare import main
from ftdist.prepare.main import prepare


@pytest.fixture
def auto(config: RunConfig, tmp_path: Path) -> RunConfig:
    """A library of 20 short chats, and a batch that follows from it."""
    rows = [{"question": f"what is {n}", "answer": f"it is {n}"} for n in range(20)]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "library" / "chats.jsonl").write_text(lines)
    return replace(config, batch=replace(config.batch, sequence_length="auto", tokens="auto"))


def test_an_automatic_length_is_packed_as_if_it_had_been_typed(auto: RunConfig) -> None:
    chosen = prepare(auto)
    assert chosen.sequence_length == 128  # the shortest: 20 chats are few tokens
    typed = replace(auto, batch=replace(auto.batch, sequence_length=128))
    assert prepare(typed) == chosen


def test_a_long_conversation_gets_the_room_that_it_needs(auto: RunConfig, tmp_path: Path) -> None:
    row = {"question": "why", "answer": "word " * 300}
    (tmp_path / "library" / "long.jsonl").write_text(json.dumps(row) + "\n")
    assert prepare(auto).sequence_length == 512
    texts = tmp_path / "library" / "long.jsonl"
    texts.unlink()
    (tmp_path / "library" / "text.txt").write_text("word " * 50)
    assert prepare(auto).sequence_length == 512  # texts are not cut shorter


def test_a_large_library_is_tokenised_once_with_the_usual_length(
    auto: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "MEASURED_BYTES", 0)
    chosen = prepare(auto)
    assert chosen.sequence_length == 4096
    cache = Path(auto.library.cache_dir)
    assert [path.name for path in cache.iterdir()] == [chosen.key]
