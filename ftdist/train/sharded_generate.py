"""Greedy decoding on the sharded model, for a few short answers while it trains."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ftdist.data.collate import build_batch
from ftdist.data.packing import PackedSequence
from ftdist.dist.collectives import all_gather_json, max_over_ranks
from ftdist.dist.world import World
from ftdist.zero.engine import Zero3Engine


def generate(
    engine: Zero3Engine,
    prompts: Sequence[list[int]],
    *,
    stops: Sequence[int],
    max_tokens: int,
    should_stop: Callable[[], bool],
    world: World,
    on_token: Callable[[int], None],
) -> list[list[int]]:
    """The greedy answer to each prompt. Collective.

    Each rank generates one answer at a time. No rank ever holds the whole model, and there is no
    key-value cache: every token is a forward pass over the whole row.

    Args:
        engine: holds the parameters.
        prompts: token ids, the same on every rank.
        stops: tokens that end an answer; they are not part of it.
        max_tokens: of an answer.
        should_stop: whether to leave the answers unfinished; called before every token. Collective.
        world: this rank.
        on_token: called before every token with the number of finished answers.
    """
    answers: list[list[int]] = []
    for first in range(0, len(prompts), world.size):
        index = first + world.rank
        prompt = prompts[index] if index < len(prompts) else None
        answer: list[int] = []
        for _ in range(max_tokens):
            is_open = prompt is not None and not (answer and answer[-1] in stops)
            on_token(len(answers))
            if max_over_ranks(float(is_open)) == 0 or should_stop():
                break
            token = _next_token(engine, [*prompt, *answer] if prompt and is_open else [])
            answer += [token] if is_open else []
        own = answer[:-1] if answer and answer[-1] in stops else answer
        answers += all_gather_json(own, world=world)
    return answers[: len(prompts)]


def stop_tokens(model: Path) -> int | list[int] | None:
    """The `eos_token_id` of a model folder's generation_config.json, if there is one."""
    try:
        config = json.loads((model / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    stops: int | list[int] | None = config.get("eos_token_id")
    return stops


def _next_token(engine: Zero3Engine, row: list[int]) -> int:
    """The likeliest next token of a row. With an empty row, only joins the others' forward pass."""
    sequences = [PackedSequence.of_sample(row, loss=False)] if row else []
    batch = build_batch(sequences).to(engine.device)
    last = torch.tensor([max(0, len(row) - 1)], device=engine.device)
    return int(engine.logits(batch, last)[0].argmax())
