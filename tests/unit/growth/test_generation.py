"""Answers during training: what a rank computes and sends for them."""

import torch
from torch import Tensor

from ftdist.data.collate import Batch
from ftdist.dist.world import World
from ftdist.train.sharded_generate import generate
from ftdist.zero.engine import Zero3Engine
from tests.support.fake_group import fake_group

MANY = 4096 * 8
END = 100
PROMPTS = [[60], [20, 70], [95], [1, 2, 3]]


class Counter(Zero3Engine):
    """In place of a model: the next token is one more than the last. Counts forward passes."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.rows: list[int] = []
        """Samples of each pass that were asked for their next token."""

    def logits(self, batch: Batch, positions: Tensor) -> Tensor:
        self.rows.append(len(positions))
        following = batch.input_ids[0, positions] + 1
        return torch.nn.functional.one_hot(following, num_classes=END + 1).float()


def _generate(world: World, *, row_tokens: int = 512) -> tuple[Counter, list[list[int]], list[int]]:
    model, finished = Counter(), list[int]()
    answers = generate(
        model,
        PROMPTS,
        stops=[END],
        max_tokens=48,
        row_tokens=row_tokens,
        should_stop=lambda: False,
        world=world,
        on_token=finished.append,
    )
    return model, answers, finished


EXPECTED = [list(range(61, 100)), list(range(71, 100)), list(range(96, 100)), list(range(4, 52))]
"""Until 99, or 48 tokens."""


def test_a_rank_generates_its_answers_in_one_row() -> None:
    with fake_group(1) as (world, _):
        model, answers, finished = _generate(world)
    assert answers == EXPECTED
    # 5 passes for [95], whose last gives the end; 25 more for [20, 70]; 10 more; 8 more.
    assert model.rows == [4] * 5 + [3] * 25 + [2] * 10 + [1] * 8
    assert finished == [0] * 5 + [1] * 25 + [2] * 10 + [3] * 8


def test_answers_that_do_not_fit_into_a_row_follow_in_the_next() -> None:
    with fake_group(1) as (world, _):
        model, answers, finished = _generate(world, row_tokens=2 * (3 + 48))
    assert answers == EXPECTED
    assert model.rows == [2] * 30 + [1] * 10 + [2] * 5 + [1] * 43
    assert finished == [0] * 30 + [1] * 10 + [2] + [2] * 5 + [3] * 43


def test_a_token_takes_one_collective_and_stops_are_checked_every_16() -> None:
    checks = 0

    def should_stop() -> bool:
        nonlocal checks
        checks += 1
        return False

    called: dict[int, list[str]] = {}
    for size in (4, MANY):
        with fake_group(size, rank=3) as (world, called[size]):
            model = Counter()
            generate(
                model,
                PROMPTS,
                stops=[END],
                max_tokens=48,
                row_tokens=512,
                should_stop=should_stop,
                world=world,
                on_token=lambda _: None,
            )
            assert model.rows == [1] * 48
    assert called[4] == called[MANY] == ["all_reduce"] * 48 + ["all_reduce", "gather"]
    assert checks == 2 * 3
