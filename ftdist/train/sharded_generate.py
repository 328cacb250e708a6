"""Answers written by the model in training, from its shards."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ftdist.data.collate import build_batch
from ftdist.data.packed_dataset import PackedSequence
from ftdist.dist.collectives import from_all, max_over_ranks
from ftdist.dist.world import World
from ftdist.zero.engine import Zero3Engine

PADDING = 0


def write_answers(
    engine: Zero3Engine,
    prompts: Sequence[list[int]],
    *,
    stops: Sequence[int],
    most_tokens: int,
    is_over: Callable[[], bool],
    world: World,
) -> list[list[int]]:
    """The greedy answer to each prompt. Collective.

    Each rank writes one answer at a time. No rank ever holds the whole model: every token is a
    forward pass of the whole row, without a key-value cache, so this is for a few short answers.

    Args:
        engine: holds the parameters.
        prompts: token ids, the same on every rank.
        stops: tokens that end an answer; they are not part of it.
        most_tokens: of an answer.
        is_over: asked before every token, by all ranks alike: whether to leave it at that.
        world: this rank.
    """
    answers: list[list[int]] = []
    for first in range(0, len(prompts), world.size):
        place = first + world.rank
        prompt = prompts[place] if place < len(prompts) else None
        answer: list[int] = []
        for _ in range(most_tokens):
            is_open = prompt is not None and not (answer and answer[-1] in stops)
            if max_over_ranks(float(is_open)) == 0 or is_over():
                break
            token = _following(engine, [*prompt, *answer] if prompt and is_open else [])
            answer += [token] if is_open else []
        answers += from_all(answer[:-1] if answer and answer[-1] in stops else answer, world=world)
    return answers[: len(prompts)]


def _following(engine: Zero3Engine, row: list[int]) -> int:
    """The likeliest next token of a row; for an empty one, a part in the others' forward pass."""
    sample = PackedSequence(
        input_ids=np.array(row, dtype=np.uint32),
        loss=np.zeros(len(row), dtype=np.bool_),
        lengths=np.array([len(row)]),
    )
    batch = build_batch([sample] if row else [], pad_token_id=PADDING).to(engine.device)
    last = torch.tensor([max(0, len(row) - 1)], device=engine.device)
    return int(engine.logits(batch, last)[0].argmax())
