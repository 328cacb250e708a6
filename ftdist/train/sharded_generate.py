"""Greedy decoding on the sharded model, for a few short answers while it trains."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ftdist.data.collate import build_batch
from ftdist.data.packing import PackedSequence
from ftdist.dist.collectives import gather_json, sum_over_ranks
from ftdist.dist.world import World
from ftdist.zero.engine import Zero3Engine

STOP_CHECK_TOKENS = 16
"""Tokens between two checks whether any rank wants to stop."""


def generate(
    engine: Zero3Engine,
    prompts: Sequence[list[int]],
    *,
    stops: Sequence[int],
    max_tokens: int,
    row_tokens: int,
    should_stop: Callable[[], bool],
    world: World,
    on_token: Callable[[int], None],
) -> list[list[int]]:
    """The greedy answer to each prompt, on rank 0; nothing on the others. Collective.

    Each rank generates its share of the answers, as many at once as fit into a row. No rank ever
    holds the whole model, and there is no key-value cache: every token is a forward pass over the
    whole row.

    Args:
        engine: holds the parameters.
        prompts: token ids, the same on every rank.
        stops: tokens that end an answer; they are not part of it.
        max_tokens: of an answer.
        row_tokens: of a row with several prompts and their answers.
        should_stop: whether to leave the answers unfinished. Collective.
        world: this rank.
        on_token: called before every token with the number of finished answers.
    """
    if not prompts:
        return []
    own = range(world.rank, len(prompts), world.size)
    per_row = max(1, row_tokens // (max(map(len, prompts)) + max_tokens))
    answers: list[tuple[int, list[int]]] = []
    for first in range(0, -(-len(prompts) // world.size), per_row):
        indices = own[first : first + per_row]
        begun = min(len(prompts), (first + per_row) * world.size)
        generated = _generate_row(
            engine,
            [prompts[index] for index in indices],
            stops=stops,
            max_tokens=max_tokens,
            should_stop=should_stop,
            on_token=lambda num_open, begun=begun: on_token(begun - num_open),  # type: ignore[misc]
        )
        answers += zip(indices, generated, strict=True)
    of_ranks = gather_json(answers, world=world)
    by_index = {index: ids for of_rank in of_ranks for index, ids in of_rank}
    return [by_index[index] for index in sorted(by_index)]


def _generate_row(
    engine: Zero3Engine,
    prompts: Sequence[list[int]],
    *,
    stops: Sequence[int],
    max_tokens: int,
    should_stop: Callable[[], bool],
    on_token: Callable[[int], None],
) -> list[list[int]]:
    """The answers to a rank's prompts in one row; none: it only joins the others. Collective."""
    answers: list[list[int]] = [[] for _ in prompts]
    still_open = list(range(len(prompts)))
    for number in range(max_tokens):
        (num_open,) = sum_over_ranks([float(len(still_open))])
        on_token(int(num_open))
        if num_open == 0 or (number % STOP_CHECK_TOKENS == 0 and should_stop()):
            break
        tokens = _next_tokens(engine, [[*prompts[at], *answers[at]] for at in still_open])
        for at, token in zip(list(still_open), tokens, strict=True):
            if token in stops:
                still_open.remove(at)
            else:
                answers[at].append(token)
    return answers


def stop_tokens(model: Path) -> int | list[int] | None:
    """The `eos_token_id` of a model folder's generation_config.json, if there is one."""
    try:
        config = json.loads((model / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    stops: int | list[int] | None = config.get("eos_token_id")
    return stops


def _next_tokens(engine: Zero3Engine, samples: Sequence[list[int]]) -> list[int]:
    """The likeliest next token of each sample. Without samples, only joins the forward pass."""
    batch = build_batch([PackedSequence.of_sample(ids, loss=False) for ids in samples])
    ends = torch.tensor([len(ids) for ids in samples] or [1]).cumsum(0) - 1
    on_device = batch.to(engine.device)
    tokens: list[int] = engine.logits(on_device, ends.to(engine.device)).argmax(dim=-1).tolist()
    return tokens[: len(samples)]
