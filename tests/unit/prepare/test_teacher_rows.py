"""What the teacher reads, and where its tokens are; worked by hand on a tokenizer of words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ftdist.config.schema import RunConfig
from ftdist.data.messages import Message
from ftdist.data.packed_dataset import PackedLibrary, PackedSource
from ftdist.data.packing import PackedSequence, rows_in_order
from ftdist.library.schema import Sample
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.prepare.main import prepare
from tests.support.models.word_tokenizer import decoded, with_library, words
from tests.support.runs.written_library import exchange, write_curated


def prepared(
    config: RunConfig, folder: Path, *samples: Sample, weight: float = 0.5
) -> tuple[PackedDatasetInfo, PackedSource]:
    path = str(write_curated(folder / "curated", samples))
    facts = prepare(with_library(config, path=path, context_distillation=weight))
    return facts, PackedLibrary.open(Path(facts.path)).train[0]


def learned(row: PackedSequence) -> list[int]:
    return [int(token) for token in row.input_ids[row.loss]]


def test_the_teacher_reads_the_passage_before_the_same_answer(
    config: RunConfig, model: Path, tmp_path: Path
) -> None:
    # 9 words around the passage: Answer the question from this text: """ ... """ Question:
    given = exchange(words(2), words(3), context=words(4, start=50))
    plain = exchange(words(3, start=9), words(2, start=7))
    facts, train = prepared(config, tmp_path, given, plain)
    [source] = facts.sources
    assert facts.context_distillation == 0.5
    assert (source.samples, source.sequences, source.loss_tokens) == (2, 1, 4 + 3)
    # 2 + 3 + 5 tokens without the passage; learned are the answer and its end.
    assert (source.distilled_tokens, source.teacher_tokens) == (4, 10 + 4 + 9)
    assert source.longest_conversation == 23

    row = train.sequence(0, room=32)
    assert row.distilled is not None
    assert row.distilled.tolist() == [True, False]
    [teacher] = row.teacher_rows
    [text] = decoded(model, [teacher.input_ids.tolist()])
    assert text.startswith("user : ")
    assert f"{words(4, start=50)} <unk> <unk> {words(2)} assistant : {words(3)} </s>" in text
    assert teacher.lengths.tolist() == [23]
    assert learned(teacher) == row.input_ids[:10][row.loss[:10]].tolist()
    assert np.flatnonzero(teacher.loss).tolist() == [19, 20, 21, 22]
    # Asked for without a teacher, it has none: so are held-out rows.
    assert train.sequence(0).teacher_rows == ()


def test_only_the_first_question_has_the_passage_and_all_answers_are_distilled(
    config: RunConfig, tmp_path: Path
) -> None:
    messages = (
        Message(role="user", content=words(1)),
        Message(role="assistant", content=words(1, start=5)),
        Message(role="user", content=words(1, start=1)),
        Message(role="assistant", content=words(2, start=6)),
    )
    sample = replace(exchange("q", "a", context=words(1, start=9)), messages=messages)
    facts, train = prepared(config, tmp_path, sample)
    row = train.sequence(0, room=32)
    [teacher] = row.teacher_rows
    # 3 + 4 + 3 + 5 tokens of the conversation, and 9 + 1 more around its first question.
    assert (len(row.input_ids), len(teacher.input_ids)) == (15, 25)
    assert np.flatnonzero(row.loss).tolist() == [5, 6, 12, 13, 14]
    assert np.flatnonzero(teacher.loss).tolist() == [15, 16, 22, 23, 24]
    assert teacher.input_ids[17:].tolist() == row.input_ids[7:].tolist()
    assert facts.sources[0].distilled_tokens == 5


def test_a_passage_that_does_not_fit_leaves_a_sample_without_teacher(
    config: RunConfig, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fits = exchange(words(2), words(3), context=words(13))  # 10 + 13 + 9 = 32 tokens
    too_long = exchange(words(2), words(3, start=3), context=words(14))
    facts, _ = prepared(config, tmp_path, fits, too_long)
    assert (facts.sources[0].distilled_tokens, facts.sources[0].teacher_tokens) == (4, 32)
    assert "trained without its teacher: passage and conversation are longer" in (
        capfd.readouterr().err
    )


def test_weight_0_prepares_no_teacher(config: RunConfig, tmp_path: Path) -> None:
    sample = exchange(words(2), words(3), context=words(4))
    facts, train = prepared(config, tmp_path, sample, weight=0.0)
    assert not facts.uses_reference
    assert train.sequence(0, room=32).teacher_rows == ()
    assert not list(Path(facts.path).rglob("teacher*"))


def test_rows_of_the_teacher_keep_the_order_of_the_samples() -> None:
    rows = rows_in_order(np.array([5, 0, 4, 3, 9, 1]), room=10)
    assert [row.tolist() for row in rows] == [[0, 2], [3], [4, 5]]
    assert rows_in_order(np.array([0, 0]), room=10) == []
