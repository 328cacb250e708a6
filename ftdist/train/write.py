"""Answers written by the model in training, from its shards."""

from collections.abc import Sequence

import numpy as np
import torch

from ftdist.data.batch import build_batch
from ftdist.data.packed import PackedSequence
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
    world: World,
) -> list[list[int]]:
    """The greedy answer to each prompt. Collective.

    Each rank writes the answers to its share of the prompts. No rank ever holds the whole model:
    every token is a forward pass of whole rows, without a key-value cache, so this is for a few
    short answers.

    Args:
        engine: holds the parameters.
        prompts: token ids, the same on every rank.
        stops: tokens that end an answer; they are not part of it.
        most_tokens: of an answer.
        world: this rank.
    """
    own = list(prompts[world.rank :: world.size])
    answers: list[list[int]] = [[] for _ in own]
    open_ones = list(range(len(own)))
    for _ in range(most_tokens):
        if max_over_ranks(float(len(open_ones))) == 0:
            break
        following = _following(engine, [own[n] + answers[n] for n in open_ones])
        for n, token in zip(open_ones, following, strict=True):
            answers[n].append(token)
        open_ones = [n for n in open_ones if answers[n][-1] not in stops]
    ended = [answer[:-1] if answer and answer[-1] in stops else answer for answer in answers]
    of_ranks = from_all(ended, world=world)
    return [of_ranks[place % world.size][place // world.size] for place in range(len(prompts))]


def _following(engine: Zero3Engine, rows: Sequence[list[int]]) -> list[int]:
    """The likeliest next token of each row; for no rows, a part in the others' forward pass."""
    samples = [
        PackedSequence(
            input_ids=np.array(row, dtype=np.uint32),
            loss=np.zeros(len(row), dtype=np.bool_),
            lengths=np.array([len(row)]),
        )
        for row in rows
    ]
    batch = build_batch(samples, pad_token_id=PADDING).to(engine.device)
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64) - 1 if rows else np.zeros(1, int)
    logits = engine.logits(batch, torch.from_numpy(ends).to(engine.device))
    return [int(token) for token in logits.argmax(dim=-1).tolist()[: len(rows)]]
