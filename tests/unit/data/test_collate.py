"""Packed sequences as one row of tensors."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ftdist.data.collate import PAD_TOKEN_ID, build_batch, build_rank_batch, build_teacher_rows
from ftdist.data.packing import PackedSequence
from ftdist.dist.world import World


def packed(*samples: tuple[list[int], list[int]]) -> PackedSequence:
    """Samples as (ids, learned)."""
    return PackedSequence(
        input_ids=np.array([i for ids, _ in samples for i in ids], dtype=np.uint32),
        loss=np.array([x for _, loss in samples for x in loss], dtype=np.bool_),
        lengths=np.array([len(ids) for ids, _ in samples], dtype=np.int64),
    )


@st.composite
def sequences(draw: st.DrawFn) -> list[PackedSequence]:
    sample = st.lists(st.tuples(st.integers(1, 99), st.integers(0, 1)), min_size=1, max_size=9)
    rows = draw(st.lists(st.lists(sample, min_size=1, max_size=4), max_size=3))
    return [packed(*(([i for i, _ in s], [x for _, x in s]) for s in row)) for row in rows]


def test_two_samples_and_a_padded_tail_worked_by_hand() -> None:
    batch = build_batch([packed(([11, 12, 13], [0, 1, 1]), ([21, 22], [0, 1]))], pad_multiple=4)
    assert batch.input_ids.tolist() == [[11, 12, 13, 21, 22, 0, 0, 0]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1, 0, 1, 2]]
    assert batch.loss_positions.tolist() == [0, 1, 3]
    assert batch.targets.tolist() == [12, 13, 22]
    assert batch.input_ids.dtype == batch.position_ids.dtype == torch.int64
    assert batch.cu_seqlens.tolist() == [0, 3, 5, 8]
    assert batch.cu_seqlens.dtype == torch.int32
    assert batch.max_seqlen == 3


def test_kl_tokens_come_after_target_tokens() -> None:
    rows = [
        packed(([11, 12], [0, 1])),
        packed(([21, 22, 23], [0, 1, 1])),
        packed(([31, 32], [1, 1])),
    ]
    batch = build_batch(rows, sources=[4, 2, 4], kl_sources={4}, uses_reference=True)
    # Places 0 | 2 3 | 5 predict; those of source 4 have no target of their own.
    assert batch.loss_positions.tolist() == [2, 3, 0, 5]
    assert batch.targets.tolist() == [22, 23]
    assert batch.kl_positions.tolist() == [0, 5]
    assert batch.sources.tolist() == [2, 2, 4, 4]
    assert batch.uses_reference


def test_distilled_tokens_stand_between_targets_and_kl_tokens_in_the_order_of_their_teacher() -> (
    None
):
    first = replace(
        packed(([11, 12], [0, 1]), ([21, 22, 23], [0, 1, 1])),
        distilled=np.array([False, True]),
        teacher_rows=(packed(([91, 92, 21, 22, 23], [0, 0, 0, 1, 1])),),
    )
    second = replace(
        packed(([41, 42], [0, 1])),
        distilled=np.array([True]),
        teacher_rows=(packed(([93, 41, 42], [0, 0, 1])),),
    )
    rows = [first, packed(([31, 32], [0, 1])), second]
    teacher = build_teacher_rows(rows, rows=3, together=1)
    batch = build_batch(
        rows, sources=[2, 4, 2], kl_sources={4}, uses_reference=True, teacher_rows=teacher
    )
    # Places 0 | 2 3, 7 | 5 predict: 12 alone; 22, 23 and 42 with a teacher; 32 by the base.
    assert batch.loss_positions.tolist() == [0, 2, 3, 7, 5]
    assert batch.targets.tolist() == [12, 22, 23, 42]
    assert batch.sources.tolist() == [2, 2, 2, 2, 4]
    assert batch.distilled == 3
    assert batch.kl_positions.tolist() == [5]
    # In the teacher's rows the same tokens are predicted, in the same order.
    assert [row.targets.tolist() for row in batch.teacher_rows] == [[22, 23], [42], []]
    assert [row.loss_positions.tolist() for row in batch.teacher_rows] == [[2, 3], [1], []]
    [together] = build_teacher_rows(rows, rows=1, together=3)
    assert together.targets.tolist() == [22, 23, 42]


def test_a_row_that_needs_no_padding_gets_none() -> None:
    batch = build_batch([packed(([1, 2, 3, 4], [0, 1, 1, 1]))], pad_multiple=4)
    assert batch.input_ids.tolist() == [[1, 2, 3, 4]]


@pytest.mark.fault("D4")
def test_no_sequences_give_a_padding_row_without_loss() -> None:
    batch = build_batch([])
    assert batch.input_ids.tolist() == [[0] * 8]
    assert batch.position_ids.tolist() == [list(range(8))]
    assert len(batch.loss_positions) == len(batch.targets) == 0
    assert (batch.cu_seqlens.tolist(), batch.max_seqlen) == ([0, 8], 8)


def test_a_pad_token_in_the_text_is_trained_and_padding_is_not() -> None:
    # eos is the pad token of many models: the mask decides, never the id.
    batch = build_batch([packed(([5, 0], [0, 1]))], pad_multiple=4)
    assert batch.targets.tolist() == [0]


def test_the_first_token_is_never_a_target() -> None:
    batch = build_batch([packed(([1, 2], [1, 1]), ([3, 4], [1, 1]))])
    assert batch.targets.tolist() == [2, 4]
    assert batch.loss_positions.tolist() == [0, 2]


@given(sequences(), st.integers(1, 16))
def test_targets_are_the_next_token_within_the_same_sample(
    rows: list[PackedSequence], multiple: int
) -> None:
    batch = build_batch(rows, pad_multiple=multiple)
    tokens = batch.input_ids.shape[1]
    borders = [n for n, position in enumerate(batch.position_ids[0].tolist()) if position == 0]
    samples = list(pairwise([*borders, tokens]))
    assert batch.cu_seqlens.tolist() == [*borders, tokens]
    assert batch.max_seqlen == max(end - start for start, end in samples)
    lengths = [int(length) for row in rows for length in row.lengths]

    assert tokens % multiple == 0
    assert [end - start for start, end in samples][: len(lengths)] == lengths
    assert batch.position_ids[0].tolist() == [
        place for start, end in samples for place in range(end - start)
    ]
    sample_of = [number for number, (start, end) in enumerate(samples) for _ in range(start, end)]
    for place, target in zip(batch.loss_positions.tolist(), batch.targets.tolist(), strict=True):
        assert batch.input_ids[0, place + 1] == target
        assert sample_of[place] == sample_of[place + 1]
    ids = [int(i) for row in rows for i in row.input_ids]
    assert batch.input_ids[0].tolist()[: len(ids)] == ids
    learned = sum(
        int(row.loss[start + 1 : end].sum()) for row in rows for start, end in _samples(row)
    )
    assert len(batch.targets) == learned


def _samples(row: PackedSequence) -> list[tuple[int, int]]:
    ends = np.cumsum(row.lengths).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


def test_a_batch_moves_to_a_device_with_all_tensors() -> None:
    batch = build_batch([packed(([1, 2], [0, 1]))])
    moved = batch.to(torch.device("meta"))
    assert moved.input_ids.device.type == moved.sources.device.type == "meta"
    assert moved.cu_seqlens.device.type == "meta"
    assert moved.max_seqlen == 6  # the padding's
    assert moved.uses_reference == batch.uses_reference


def test_a_part_of_a_row_has_its_tokens_and_the_loss_tokens_predicted_there() -> None:
    rows = [packed(([11, 12, 13], [0, 1, 1]), ([21, 22], [0, 1])), packed(([31, 32], [0, 1]))]
    row = build_batch(rows, sources=[0, 1], kl_sources={1}, pad_multiple=8)
    assert row.loss_positions.tolist() == [0, 1, 3, 5]  # the last one is of source 1, by KL

    first, second = row.part(0, of=2), row.part(1, of=2)
    assert first.input_ids.tolist() == [[11, 12, 13, 21]]
    assert first.position_ids.tolist() == [[0, 1, 2, 0]]
    assert first.loss_positions.tolist() == [0, 1, 3]
    # The target of position 3 is the first token of the second part.
    assert first.targets.tolist() == [12, 13, 22]
    assert first.sources.tolist() == [0, 0, 0]
    assert first.kl_positions.tolist() == []
    assert second.input_ids.tolist() == [[22, 31, 32, PAD_TOKEN_ID]]
    assert second.position_ids.tolist() == [[1, 0, 1, 0]]
    assert second.targets.tolist() == []
    assert second.kl_positions.tolist() == [1]
    assert second.sources.tolist() == [1]


def test_the_part_of_a_rank_is_padded_for_all_ranks_of_its_group() -> None:
    world = World(rank=6, size=8, local_rank=6, local_size=8, sequence_parallel_size=4)
    assert (world.data_parallel_rank, world.sequence_parallel_rank) == (1, 2)
    tokens = list(range(1, 34))
    part = build_rank_batch([packed((tokens, [1] * 33))], sources=[0], world=world)
    # 33 tokens, padded to 64: 16 for each of 4 ranks; the third has the last token.
    assert part.input_ids.tolist() == [[33] + [PAD_TOKEN_ID] * 15]
    assert part.loss_positions.tolist() == []
    assert part.parts == 4


def test_parts_keep_the_borders_of_the_whole_row() -> None:
    row = build_batch([packed(([1, 2, 3], [0, 1, 1]), ([4, 5], [0, 1]))], pad_multiple=8)
    for index in range(4):
        part = row.part(index, of=4)
        assert part.cu_seqlens.tolist() == [0, 3, 5, 8]
        assert part.max_seqlen == 3
