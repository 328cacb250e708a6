"""Properties of what a source is packed into, whatever its rows and however they are shared out."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Message
from ftdist.errors import DataError
from ftdist.library import token_stats
from ftdist.library.schema import Sample
from ftdist.library.sources.reference import DataReference
from ftdist.library.store import samples as store_samples
from ftdist.library.store.samples import write_samples
from ftdist.library.token_stats import SourceSizes
from ftdist.prepare import portions, source
from ftdist.prepare.chunking import cut_text
from ftdist.prepare.data_files import find_files
from ftdist.prepare.journal import JOURNAL
from ftdist.prepare.source import SourceBuilder
from ftdist.prepare.tokenize_shard import BuildSettings

ROOM = 16
WORDS = [f"w{number}" for number in range(50)]
TEMPLATE = (
    "{% for m in messages %}{{ m.role + ' : ' + m.content + ' </s> ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant : ' }}{% endif %}"
)


@cache
def encoder() -> ChatEncoder:
    """One token a word; a conversation has those of its texts and 3 more a message."""
    vocabulary = ["<unk>", "</s>", "user", "assistant", ":", *WORDS]
    core = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate(vocabulary)}, unk_token="<unk>")
    )
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="</s>", unk_token="<unk>", chat_template=TEMPLATE
    )
    return ChatEncoder(tokenizer, system_prompt=None)


def texts(most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(WORDS), min_size=1, max_size=most).map(" ".join)


ROWS = st.lists(
    st.one_of(
        st.builds(lambda q, a: {"question": q, "answer": a}, texts(4), texts(4)),
        st.builds(lambda text: {"text": text}, texts(60)),
    ),
    min_size=1,
    max_size=40,
)


def pack(rows: list[Any], *, held_out: float, seed: int = 1) -> dict[str, bytes]:
    """The files that a source of these rows is packed into."""
    with TemporaryDirectory() as folder:
        source, out = Path(folder) / "source", Path(folder) / "out"
        source.mkdir()
        out.mkdir()
        (source / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        builder = SourceBuilder(
            name="library",
            folder=out,
            encoder=encoder(),
            settings=BuildSettings(
                sequence_length=ROOM,
                overlong="drop",
                on_invalid_row="error",
                held_out=held_out,
                seed=seed,
            ),
        )
        builder.build(find_files(DataReference(path=str(source)), key="library.path"))
        # The journal holds as much as there was time for, and is removed in the end.
        packed = (path for path in out.iterdir() if path.name != JOURNAL)
        return {path.name: path.read_bytes() for path in packed}


def array(files: dict[str, bytes], name: str) -> list[int]:
    """An array of a packed source; behind numpy's header of 128 bytes."""
    values: list[int] = np.frombuffer(files[name][128:], dtype=np.int64).tolist()
    return values


def samples_of(row: Any) -> int:
    """How many samples a row becomes."""
    if "text" not in row:
        return 1
    return sum(1 for _ in cut_text(row["text"], encoder=encoder(), sequence_length=ROOM))


@settings(max_examples=30, deadline=None)
@given(ROWS, st.sampled_from([0.0, 0.1, 0.3]))
def test_every_sample_is_whole_in_one_sequence(rows: list[Any], held_out: float) -> None:
    files = pack(rows, held_out=held_out)
    offsets = array(files, "offsets.npy")
    lengths = np.diff(offsets)
    assert len(lengths) == sum(map(samples_of, rows))
    assert len(files["ids.bin"]) == 4 * offsets[-1]
    assert len(files["loss.bin"]) == offsets[-1]
    seen = []
    for part in ("train", "held_out"):
        samples, starts = array(files, f"{part}-samples.npy"), array(files, f"{part}-offsets.npy")
        tokens = array(files, f"{part}-tokens.npy")
        for first, end, counted in zip(starts[:-1], starts[1:], tokens, strict=True):
            assert sum(lengths[samples[first:end]]) == counted <= ROOM
        seen += samples
    assert sorted(seen) == list(range(len(lengths)))


@settings(max_examples=30, deadline=None)
@given(ROWS.filter(lambda rows: len(rows) > 1), st.integers(0, 3))
def test_held_out_rows_are_whole_and_duplicates_stay_together(rows: list[Any], seed: int) -> None:
    held_out = set(array(pack(rows, held_out=0.3, seed=seed), "held_out-samples.npy"))
    ends = np.cumsum([0, *map(samples_of, rows)]).tolist()
    fates: dict[str, set[bool]] = {}
    for row, first, end in zip(rows, ends[:-1], ends[1:], strict=True):
        fates.setdefault(json.dumps(row), set()).update(at in held_out for at in range(first, end))
    assert all(len(fate) == 1 for fate in fates.values())


@settings(max_examples=20, deadline=None)
@given(ROWS)
def test_portion_size_does_not_change_the_result(rows: list[Any]) -> None:
    whole = pack(rows, held_out=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "PORTION_BYTES", 200)
        patch.setattr(source, "_PORTIONS_ALONE", 10_000)  # all in this process
        assert pack(rows, held_out=0.2) == whole


def test_num_proc_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": WORDS[at % 50], "answer": WORDS[at % 7]} for at in range(200)]
    whole = pack(rows, held_out=0.1)
    monkeypatch.setattr(portions, "PORTION_BYTES", 1024)
    monkeypatch.setattr(source, "resolve_num_proc", lambda _: 2)
    assert pack(rows, held_out=0.1) == whole


def samples(number: int) -> list[Sample]:
    """Of words 1 to 9 in turn, every third a question of one word and an answer of so many."""
    whole = [" ".join(WORDS[: 1 + at % 9]) for at in range(number)]
    return [
        Sample(
            text="" if at % 3 == 0 else text,
            messages=(
                Message(role="user", content="w0"),
                Message(role="assistant", content=text),
            )
            if at % 3 == 0
            else (),
            location=f"row {at}",
            made_by="as written",
            doc_id="u",
        )
        for at, text in enumerate(whole)
    ]


@pytest.mark.parametrize("alone", [0, 10_000], ids=["by two processes", "by this process"])
def test_sample_sizes_do_not_depend_on_multiprocessing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: int
) -> None:
    monkeypatch.setattr(store_samples, "GROUP_SAMPLES", 8)
    monkeypatch.setattr(token_stats, "_SPAN_SAMPLES", 20)
    monkeypatch.setattr(token_stats, "_MAX_SERIAL_SPANS", alone)
    sources = []
    for name, number in (("a", 100), ("none", 0), ("b", 30)):
        files = tmp_path / f"{name}-train.parquet", tmp_path / f"{name}-held_out.parquet"
        write_samples(files[0], samples(number))
        write_samples(files[1], samples(number)[:3])
        sources.append((name, files))

    def sizes(used: ChatEncoder | None) -> dict[str, SourceSizes]:
        return token_stats.measure_sources(
            sources, encoder=used, sequence_length=ROOM, processes=2, folder=tmp_path
        )

    in_tokens, in_words = sizes(encoder()), sizes(None)
    for name, number in (("a", 100), ("none", 0), ("b", 30)):
        # A text has one token more than words; a chat those of its texts and 3 more a message.
        whole = [1 + at % 9 for at in range(number)]
        tokens = [n + (7 if at % 3 == 0 else 1) for at, n in enumerate(whole)]
        assert in_tokens[name].lengths.tolist() == tokens
        assert in_words[name].lengths.tolist() == [n + (at % 3 == 0) for at, n in enumerate(whole)]
        assert in_tokens[name].held_out == min(3, number)
    assert [shown["location"] for shown in in_words["a"].shown] == [
        "row 0", "row 25", "row 50", "row 75",
    ]  # fmt: skip
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".parquet"] * 6


def test_a_template_error_is_reported_from_a_worker_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_stats, "_MAX_SERIAL_SPANS", 0)
    path = tmp_path / "train.parquet"
    first = Message(role="assistant", content="w1")
    sample = Sample(messages=(first,), location="row 7", made_by="as written", doc_id="u")
    write_samples(path, [sample])
    with pytest.raises(DataError, match=r"row 7: .*nothing to answer"):
        token_stats.measure_sources(
            [("s", (path, path))],
            encoder=encoder(),
            sequence_length=ROOM,
            processes=1,
            folder=tmp_path,
        )


def test_an_empty_file_before_others_is_read_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "b.txt").write_text("w1 w2 w3")
    files = find_files(DataReference(path=str(tmp_path)), key="library.path")
    (portion,) = portions.portions_of(files, source="library")
    assert [part.path.name for part in portion] == ["a.txt", "b.txt"]
