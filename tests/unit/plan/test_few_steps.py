"""Runs that are too short to learn are refused with the line to write, worked by hand."""

import pytest

from ftdist.errors import ConfigError
from ftdist.plan.few_steps import refuse_few_steps
from ftdist.plan.planner import make_plan
from tests.unit.plan.test_recipe import SMOLLM2, config, library, source

# 100 answers in 10,240 tokens, 20 rows of 512
ANSWERS = library(source(tokens=10_240, sequences=20, answered=100, answers=100, longest=100))


def refused(*overrides: str) -> ConfigError:
    run = config("optim.peak_lr=1e-4", "batch.sequence_length=512", *overrides)
    with pytest.raises(ConfigError) as caught:
        refuse_few_steps(run, plan=make_plan(run, model=SMOLLM2, library=ANSWERS))
    return caught.value


def test_a_step_of_many_passes_is_refused_with_the_batch_that_gives_a_hundred_steps() -> None:
    # 10 passes are 200 rows, and a step has 256 rows, 12.8 passes; with two rows, 100 steps
    error = refused("batch.tokens=131072", "train.exposures=10")
    assert error.problem == (
        "Only 1 step of 131,072 tokens comes out of train.exposures=10. It covers 12.8 passes over "
        "the library. A model learns little in so few."
    )
    assert error.remedy == (
        "write batch.tokens=1024, which gives 100 steps or more; or train.steps=1 to insist."
    )


def test_shorter_sequences_are_proposed_where_the_smallest_step_is_too_large() -> None:
    # 3 passes are 60 rows: 15 steps of 4. At 128 tokens, 30,720 / (4 x 128) = 60 steps.
    error = refused("batch.tokens=2048", "train.epochs=3", "cluster.tasks_per_node=4")
    assert "Each covers 20% of the library" in error.problem
    assert error.remedy == (
        "write batch.tokens=512 batch.sequence_length=128, which gives 60 steps or more; or "
        "train.steps=15 to insist."
    )


def test_more_passes_or_fewer_ranks_are_proposed_for_a_library_of_few_tokens() -> None:
    # One pass in 8 x 128 tokens: 10 steps, and 3 passes give 30
    error = refused("batch.tokens=4096", "train.epochs=1", "cluster.tasks_per_node=8")
    assert error.remedy.startswith(
        "write batch.tokens=1024 batch.sequence_length=128 train.epochs=3, which gives 30 steps;"
    )
    # 1,024 ranks: 3,840 steps' worth of tokens is 384 passes
    error = refused("batch.tokens=524288", "train.epochs=1", "cluster.tasks_per_node=1024")
    assert error.remedy.startswith("run fewer ranks than 1024")


def test_thirty_steps_and_any_explicit_number_of_steps_are_accepted() -> None:
    for words in (["train.epochs=3", "batch.tokens=1024"], ["train.steps=1", "batch.tokens=65536"]):
        run = config("optim.peak_lr=1e-4", "batch.sequence_length=512", *words)
        plan = make_plan(run, model=SMOLLM2, library=ANSWERS)
        refuse_few_steps(run, plan=plan)
        assert plan.steps in (30, 1)
