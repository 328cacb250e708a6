"""What auto means for a run: batch, sequence length, rate and length, worked by hand."""

from dataclasses import replace

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.planner import make_plan
from ftdist.plan.recipe import (
    choose_sequence_length,
    describe_choices,
    exposures,
    limit_retention,
    peak_lr,
    resolve_recipe,
    step_tokens,
)
from tests.support.fixed_engine import fixed_engine

SMOLLM2 = ModelInfo(
    parameters=134_515_008,
    largest_parameter=2**25,
    hidden_size=576,
    layers=30,
    vocab_size=49_152,
    max_position=8192,
    model_type="llama",
    tied=True,
)


def config(*overrides: str) -> RunConfig:
    needed = ["run.name=r", "model.path=m", "library.path=l", "cluster.device=cpu"]
    return compose([*needed, *fixed_engine(*overrides)])


def source(name: str = "library", *, tokens: int, sequences: int, weight: float = 1.0,
           answered: int = 0, answers: int = 0, texts: int = 0, longest: int = 0,
           own: bool = True) -> PackedSourceInfo:  # fmt: skip
    return PackedSourceInfo(
        name=name, weight=weight, samples=answered + texts, sequences=sequences, tokens=tokens,
        loss_tokens=tokens // 2, held_out_samples=0, held_out_sequences=0,
        answered_samples=answered, answers=answers, longest_conversation=longest, own=own,
    )  # fmt: skip


def library(*sources: PackedSourceInfo, length: int = 512) -> PackedDatasetInfo:
    return PackedDatasetInfo(path="/c/k", key="k", sources=sources, sequence_length=length)


# The A-45 library of docs/LOG.md: 478 samples of 16 answers, which are 37 % of a pass; 102,000
# tokens a pass, and 200 rows of 512.
A45 = library(
    source(tokens=37_766, sequences=74, answered=478, answers=16, longest=160),
    source("out_of_scope", tokens=48_970, sequences=96, weight=48_970 / 37_766, answered=1200,
           answers=1100, longest=200, own=False),
    source("replay", tokens=15_300, sequences=30, weight=15_300 / 37_766, answered=100,
           answers=100, texts=60, longest=300, own=False),
)  # fmt: skip


def resolved(library: PackedDatasetInfo, *overrides: str) -> RunConfig:
    return resolve_recipe(config(*overrides), model=SMOLLM2, library=library)


def test_retention_samples_are_seen_at_most_so_often() -> None:
    # 54 exposures at 540 / 40 = 13.5 a pass are 4 passes of 30,000 tokens. Out-of-scope
    # samples of 10,000 tokens would be seen 4 x 36,000 / 10,000 = 14.4 times: twice is 5,000 a
    # pass, a weight of 1/6. Replay of 20,000 is seen 4 x 9,000 / 20,000 = 1.8 times, and stays.
    curated = library(
        source(tokens=30_000, sequences=60, answered=540, answers=40, longest=100),
        source("out_of_scope", tokens=10_000, sequences=20, weight=1.2, own=False),
        source("replay", tokens=20_000, sequences=40, weight=0.3, own=False),
    )

    def weights(*overrides: str) -> list[float]:
        limited = limit_retention(config(*overrides), library=curated)
        return [source.weight for source in limited.sources]

    assert weights() == pytest.approx([1, 1 / 6, 0.3])
    assert weights("train.exposures=27") == pytest.approx([1, 1 / 3, 0.3])
    assert weights("train.epochs=1") == pytest.approx([1, 2 / 3, 0.3])
    assert weights("library.max_retention_epochs=3", "train.epochs=1") == [1, 1, 0.3]
    assert weights("train.steps=50") == [1, 1.2, 0.3]
    assert weights("library.max_retention_epochs=null") == [1, 1.2, 0.3]
    given = "library.extra_sources={out_of_scope: {path: p, weight: 1.2}}"
    assert weights(given) == [1, 1.2, 0.3]


def test_the_measured_recipe_comes_out_for_the_library_that_it_was_measured_on() -> None:
    # 478 / 16 = 29.9 exposures per pass, so 54 are 1.81 passes of 102,036 tokens: 184,400 tokens.
    # 1,024 x sqrt(184,400 / 170,000) = 1,066 tokens per step: 1 x (512 tokens x 2 ranks).
    chosen = resolved(A45, "cluster.tasks_per_node=2")
    assert (chosen.batch.tokens, chosen.batch.sequence_length) == (1024, 512)
    assert (chosen.train.exposures, chosen.train.epochs, chosen.train.steps) == (54, None, None)
    assert (chosen.optim.peak_lr, chosen.optim.warmup_ratio, chosen.optim.weight_decay) == (
        *(2e-4, 0.1, 0.0),
    )
    # 1.81 passes x 200 rows / 2 rows
    assert make_plan(chosen, model=SMOLLM2, library=A45).steps == 181


def test_an_explicit_value_always_wins_and_is_not_named_as_chosen() -> None:
    typed = ("batch.tokens=2048", "optim.peak_lr=1e-5", "train.epochs=7")
    chosen = resolved(A45, *typed)
    assert chosen == resolved(A45, *typed, "batch.sequence_length=512")
    assert (chosen.batch.tokens, chosen.optim.peak_lr) == (2048, 1e-5)
    assert (chosen.train.exposures, chosen.train.epochs) == (None, 7.0)
    assert describe_choices(config(*typed), chosen) == "batch.sequence_length=512"
    assert describe_choices(config(), resolved(A45)) == (
        "batch.tokens=1024 batch.sequence_length=512 optim.peak_lr=0.0002 train.exposures=54"
    )
    assert resolved(A45, "train.steps=4").train.steps == 4
    assert resolve_recipe(chosen, model=SMOLLM2, library=A45) == chosen


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [
        (134_515_008, 2.0e-4),  # measured
        (1_480_000_000, 3.6e-5),  # 2e-4 x 0.0909^0.713; OLMo 2 1B: 3e-5
        (
            8_030_000_000,
            1.1e-5,
        ),  # x 0.01675^0.713 = 0.0542; Tulu 3 8B: 5e-6, OLMo 2 7B: 1e-5 to 2e-5
        (32_200_000_000, 4.0e-6),  # OLMo 2 32B: 4e-6
        (70_600_000_000, 2.3e-6),  # Tulu 3 70B: 2e-6
        (800_000, 3e-3),  # the maximum
    ],
)
def test_the_rate_falls_with_the_size_of_the_model(parameters: int, rate: float) -> None:
    assert peak_lr(parameters) == pytest.approx(rate)


def test_steps_grow_with_the_square_root_of_the_tokens() -> None:
    assert step_tokens(170_000) == 1024
    assert step_tokens(4 * 170_000) == 2048
    assert step_tokens(40_000) == 400  # a hundred steps, for 1,024 sqrt(0.235) = 497 gives fewer


@pytest.mark.parametrize(
    ("answers", "times"), [(16, 54), (1000, 54), (4000, 27), (100_000, 5.4), (10_000_000, 3)]
)
def test_many_answers_are_each_shown_less_often(answers: int, times: float) -> None:
    # 54 sqrt(1000 / answers)
    own = source(tokens=100 * answers, sequences=answers, answered=answers, answers=answers)
    assert exposures(library(own)) == pytest.approx(times)


def test_a_library_of_texts_is_read_four_times_and_a_short_one_until_30_steps() -> None:
    text = library(source(tokens=250_000, sequences=500, texts=500))
    assert resolved(text).train.epochs == 4
    # 4 rows, one per step: 30 steps are 7.5 passes
    short = library(source(tokens=2000, sequences=4, texts=4))
    chosen = resolved(short)
    assert (chosen.train.epochs, chosen.batch.tokens) == (8, 512)
    # A few chats among many texts do not make it a library of answers.
    chats = library(source(tokens=250_000, sequences=500, texts=500, answered=5, answers=5))
    assert resolved(chats).train.epochs == 4


def test_few_answers_are_shown_more_often_until_30_steps_but_not_without_end() -> None:
    # 4 answers in one row, on two ranks: 54 exposures are 27 steps, 60 are 30
    few = library(source(tokens=400, sequences=1, answered=4, answers=4, longest=100))
    assert resolved(few, "cluster.tasks_per_node=2").train.exposures == 60
    assert resolved(few, "cluster.tasks_per_node=8").train.exposures == 54  # 240 would be needed


@pytest.mark.parametrize(
    ("overrides", "length"),
    [
        ((), 512),  # a step of 1,066 tokens, in which sources should mix
        (("cluster.tasks_per_node=2",), 512),
        (("cluster.tasks_per_node=64",), 512),  # a conversation has 300 tokens
        (("batch.tokens=2048", "cluster.tasks_per_node=2"), 1024),
        (("batch.tokens=131072",), 4096),
        (("batch.tokens=3000", "cluster.tasks_per_node=3"), 1000),  # no power of two divides it
    ],
)
def test_sequences_are_as_long_as_a_step_allows(overrides: tuple[str, ...], length: int) -> None:
    assert choose_sequence_length(config(*overrides), library=A45, max_position=8192) == length


def test_a_step_has_four_sequences_and_only_own_texts_are_not_cut_short() -> None:
    own = source(tokens=33_910, sequences=70, answered=433, answers=16, longest=115)
    replay = source("replay", tokens=3_652, sequences=8, weight=0.1, answered=100, answers=100,
                    texts=60, longest=90, own=False)  # fmt: skip
    pair = config("cluster.tasks_per_node=2")
    mixed = library(own, replay)
    assert choose_sequence_length(pair, library=mixed, max_position=8192) == 256
    texts = library(replace(own, samples=own.samples + 8), replay)
    assert choose_sequence_length(pair, library=texts, max_position=8192) == 512


def test_the_longest_conversation_and_the_model_limit_the_length() -> None:
    own = replace(A45.sources[0], longest_conversation=1500)
    long = library(own, *A45.sources[1:])
    assert choose_sequence_length(config(), library=long, max_position=8192) == 2048
    assert choose_sequence_length(config(), library=long, max_position=1600) == 1600
    chats = library(A45.sources[0])
    many = config("cluster.tasks_per_node=64")
    assert choose_sequence_length(many, library=chats, max_position=8192) == 256


def test_a_batch_that_the_ranks_cannot_share_is_refused_with_sizes_that_they_can() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_sequence_length(
            config("batch.tokens=2000", "cluster.tasks_per_node=3"), library=A45, max_position=None
        )
    assert caught.value.remedy == "set batch.tokens to 1536 or 3072."


def test_conversations_without_an_answer_of_their_own_count_as_texts() -> None:
    # Answers that the mask leaves out, and a library that has no source of its own.
    unanswered = library(source(tokens=10_240, sequences=20, answered=100, answers=0, longest=100))
    foreign = library(
        source(tokens=10_240, sequences=20, answered=100, answers=100, longest=100, own=False)
    )
    for each in (unanswered, foreign):
        assert resolved(each).train.epochs == 4
