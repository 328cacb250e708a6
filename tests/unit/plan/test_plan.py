"""What a run will take, by arithmetic: every number here is worked by hand."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.config.compose import compose
from ftdist.errors import ConfigError, DataError
from ftdist.plan.dataset_info import (
    PackedDatasetInfo,
    PackedSourceInfo,
    reference_share,
    row_shares,
)
from ftdist.plan.describe import describe
from ftdist.plan.host_memory import host_offload_bytes
from ftdist.plan.layer_shape import LayerShape
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from tests.support.fixed_engine import fixed_engine

GIB = 2**30
NEEDED = [
    *("run.name=r", "model.path=m", "library.path=l", "cluster.device=cpu"),
    *("batch.tokens=131072", "batch.sequence_length=4096"),
]
"""A step has 32 sequences of 4,096 tokens, unless a test says otherwise."""


def _source(
    name: str = "library", *, weight: float = 1.0, sequences: int = 100, tokens: int = 400_000
) -> PackedSourceInfo:
    return PackedSourceInfo(
        name=name,
        weight=weight,
        samples=3 * sequences,
        sequences=sequences,
        tokens=tokens,
        loss_tokens=tokens // 2,
        held_out_samples=5,
        held_out_sequences=2,
    )


def _library(*sources: PackedSourceInfo) -> PackedDatasetInfo:
    return PackedDatasetInfo(path="/cache/k", key="k", sources=sources or (_source(),))


MODEL = ModelInfo(
    parameters=2**30,
    largest_parameter=2**28,
    hidden_size=2048,
    layers=16,
    vocab_size=131_072,
    max_position=8192,
    model_type="llama",
    tied=True,
    layer=LayerShape(mlp_width=8192, gated=True, heads=16, kv_heads=4, head_width=128),
)


def _plan(
    *overrides: str, model: ModelInfo = MODEL, library: PackedDatasetInfo | None = None
) -> Plan:
    words = overrides if "train." in " ".join(overrides) else ("train.epochs=3", *overrides)
    return make_plan(
        compose([*NEEDED, *fixed_engine(*words)]), model=model, library=library or _library()
    )


@pytest.mark.fault("U2")
def test_an_indivisible_batch_is_reported_by_the_user_key() -> None:
    with pytest.raises(ConfigError) as caught:
        _plan("batch.tokens=40960", "cluster.tasks_per_node=4")
    assert caught.value.problem == (
        "batch.tokens=40960 (10 sequences of 4096) cannot be shared equally by 4 ranks in "
        "micro-batches of 1."
    )
    assert caught.value.remedy == "set batch.tokens to 32768 or 49152."


def test_row_shares_make_tokens_follow_the_weights() -> None:
    # library: 4,000 tokens a row; replay: 1,000. At weight 0.25 a row of each, alternately.
    library, replay = _source(), _source("replay", weight=0.25, sequences=50, tokens=50_000)
    assert row_shares((library,)) == (1.0,)
    assert row_shares((library, replay)) == (0.5, 0.5)
    # at weight 0.5: p = (1/4000, 0.5/1000) / (3/4000) = 1/3, 2/3; tokens 4000/3 and 2000/3
    twice = _source("replay", weight=0.5, sequences=50, tokens=50_000)
    assert row_shares((library, twice)) == pytest.approx((1 / 3, 2 / 3))


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(DataError, match="'empty' has 0 samples"):
        row_shares((_source(), _source("empty", sequences=0, tokens=0)))


def test_steps_cover_the_epochs_rounded_up() -> None:
    # 3 epochs of 100 rows, 32 rows a step: 9.375 steps
    plan = _plan("train.epochs=3")
    assert (plan.steps, plan.global_sequences, plan.sequence_length) == (10, 32, 4096)
    assert plan.tokens == 10 * 131_072
    assert plan.epochs == pytest.approx(3.2)
    assert _plan("train.epochs=0.32").steps == 1
    assert _plan("train.epochs=0.001").steps == 1


def test_rounding_errors_of_epochs_add_no_steps() -> None:
    # 1.1 x 100 rows is 110.00000000000001 in floats; 10 rows a step
    assert _plan("train.epochs=1.1", "batch.tokens=40960").steps == 11


def test_replay_makes_an_epoch_longer_by_its_share_of_the_rows() -> None:
    # half of the rows are replay: 100 library rows take 200 rows, 3 epochs 600, 18.75 steps
    library = _library(_source(), _source("replay", weight=0.25, sequences=50, tokens=50_000))
    assert _plan("train.epochs=3", library=library).steps == 19


def test_explicit_steps_determine_the_epochs() -> None:
    plan = _plan("train.steps=25")
    assert (plan.steps, plan.epochs) == (25, 8.0)


def test_epochs_follow_from_the_requested_passes_per_answer() -> None:
    # 300 samples of 75 answers: a pass shows each 4 times. 30 times are 7.5 passes of 100 rows,
    # 750 rows, 23.4 steps of 32; 24 steps show it 24 x 32 / 100 x 4 times.
    source = replace(_source(), answered_samples=300, answers=75)
    library = _library(source)
    plan = _plan("train.exposures=30", library=library)
    assert plan.steps == 24
    assert plan.exposures == pytest.approx(30.72)
    assert dict(describe(plan))["each of 75 answers"] == "seen 31 times on average"
    # With half of the rows replay a pass takes 200 rows: 1,500 rows, 46.9 steps.
    replay = _source("replay", weight=0.25, sequences=50, tokens=50_000)
    replay = replace(replay, answered_samples=9, answers=7, own=False)
    assert _plan("train.exposures=30", library=_library(source, replay)).steps == 47
    # Steps that are typed stay, and say how often: 32 rows of 100, 4 times each.
    output = dict(describe(_plan("train.steps=1", library=library)))
    assert output["each of 75 answers"] == "seen 1.3 times on average"


def test_answers_are_counted_over_all_library_sources() -> None:
    # A manual, 400,000 tokens with 100 questions to 50 answers, once a pass; 100,000 tokens of
    # chats, 150 answers in as many samples, at weight 0.5: 200,000 tokens, twice a pass.
    # (100 + 2 x 150) / (50 + 150) = 2 times an answer, so 8 times are 4 passes.
    manual = replace(_source(), answered_samples=100, answers=50)
    chats = _source("chats", weight=0.5, sequences=50, tokens=100_000)
    chats = replace(chats, answered_samples=150, answers=150)
    library = _library(manual, chats)
    assert (library.answers, library.exposures_per_pass) == (200, 2.0)
    by_passes = _plan("train.epochs=4", library=library)
    assert _plan("train.exposures=8", library=library).steps == by_passes.steps


def test_plain_text_is_seen_once_per_epoch() -> None:
    library = _library(replace(_source(), answered_samples=0, answers=0))
    assert library.exposures_per_pass == 1.0
    plan = _plan("train.exposures=3", library=library)
    assert plan.steps == _plan("train.epochs=3").steps
    assert not [what for what, _ in describe(plan) if "answers" in what]


LAYER_BYTES = 32_768 + 24_640 + 65_536
"""Per token. Two norms: float32 copy, normed and output, 8 x 2,048 each. Attention, 4 bytes each:
queries of 16 x 128, keys and values of 4 x 128, output; 2 bytes: output again; 4 bytes a head. MLP:
4 x 8,192 x 2.
"""

OUTER_BYTES = 12_288 + 512 + 16
"""Per token. The last norm without its output; cosines and sines; indices."""


def test_memory_of_a_rank_by_hand() -> None:
    plan = _plan(
        "cluster.tasks_per_node=4",
        "model.dtype=bfloat16",
        "engine.reduce_bucket_size=134_217_728",
        "engine.max_live_parameters=0",
        "engine.prefetch_bucket_size=134_217_728",
        "model.activation_checkpointing=none",
    )
    assert plan.parameters_gib == 0.5  # 2**30 x 2 bytes / 4 ranks
    assert plan.gradients_gib == 1.0  # float32 / 4 ranks
    assert plan.bucket_gib == 0.5  # 2**27 x 4 bytes
    assert plan.optimizer_gib == 3.0  # 12 bytes / 4 ranks
    assert plan.gathered_gib == 0.5 + 0.25  # largest: 2**28 x 2 bytes; ahead: 2**27 x 2
    assert plan.activations_gib == 4096 * (16 * LAYER_BYTES + OUTER_BYTES) / GIB
    # 64 MiB hold 128 rows of 131,072 words in float32; twice, and 4 x 2,048 bytes a token.
    assert plan.logits_gib == 0.125 + 4096 * 8192 / GIB
    assert plan.head_gradient_gib == 1.5  # 2**28 x (4 bytes summed + 2 bytes)
    # Two of 8,192 and two of 2,048 per token in bfloat16; the tied head's gradient waits.
    assert plan.backward_gib == 4096 * (32_768 + 8192) / GIB + 0.5
    # The bucket's copy: no matrix of a layer is larger. And a layer, (2**30 - 2**28) / 16 x 2.
    assert plan.reduce_gib == 0.5 + 0.09375
    assert plan.step_gib == 1.0  # 2**28 x 4 bytes; the norm's 2**26 x 8 are less
    # Logits and head gradient take more than backward and reduce, and passes than the step.
    assert plan.device_gib == pytest.approx(
        0.5 + 1.0 + 0.5 + 3.0 + 0.75 + plan.activations_gib + plan.logits_gib + 1.5
    )
    assert (plan.host_offload_gib, plan.outside_gib) == (0, 0)
    assert plan.host_load_gib == 1.5  # shard 2**28 x 2 bytes, twice the largest: 2**28 x 2 bytes


def test_checkpoints_beside_training_take_a_copy_of_the_shards_in_host_memory() -> None:
    words = ("cluster.tasks_per_node=4", "train.steps=20", "checkpoint.every_steps=10")
    assert _plan(*words).host_save_gib == 3.0  # 2**30 x 12 bytes / 4 ranks
    assert _plan(*words, "checkpoint.async_save=false").host_save_gib == 0.0
    assert (
        _plan(*words[:2], "checkpoint.every_steps=20").host_save_gib == 0.0
    )  # the last is awaited


def test_the_larger_of_passes_and_step_is_the_peak() -> None:
    short = ("batch.sequence_length=8", "batch.tokens=8", "model.dtype=bfloat16")
    plan = _plan(*short, "engine.sub_group_size=1_073_741_824", "engine.reduce_bucket_size=1")
    assert plan.step_gib == 4.0  # a flat copy of all gradients
    resident = 2.0 + 4.0 + plan.bucket_gib + 12.0
    assert plan.device_gib == pytest.approx(resident + 4.0)


def test_one_rank_gathers_nothing_and_trains_float32_weights_in_place() -> None:
    plan = _plan("model.dtype=float32")
    assert plan.gathered_gib == 0.0
    assert (plan.parameters_gib, plan.optimizer_gib) == (4.0, 8.0)  # no second master weights


def test_an_hpz_copy_is_shared_by_the_ranks_of_a_node() -> None:
    words = ("cluster.tasks_per_node=4", "model.dtype=bfloat16")
    assert _plan(*words, "engine.hpz_partition_size=4").hpz_gib == 0.5
    assert _plan(*words).hpz_gib == 0.0


def test_a_gpu_has_larger_chunks_and_memory_outside_the_allocator() -> None:
    plan = _plan("cluster.device=cuda")
    # 2,048 rows: 0.5 GiB in bfloat16, and 1 GiB in float32, twice
    assert plan.logits_gib == 2.5 + 4096 * 8192 / GIB
    exact = _plan("cluster.device=cuda", "model.dtype=float32")
    assert exact.logits_gib == 2.0 + 4096 * 2 * 8192 / GIB
    assert plan.outside_gib == 2.0


def test_kl_to_base_adds_the_base_model_memory() -> None:
    replay = replace(_source("replay"), kl_to_base=True)
    words = ("cluster.tasks_per_node=4", "model.dtype=bfloat16")
    alone, beside = _plan(*words), _plan(*words, library=_library(_source(), replay))
    assert (alone.base_gib, beside.base_gib) == (0.0, 0.5)  # 2**30 x 2 bytes / 4 ranks
    # A second chunk, the base's hidden states of 2,048 x 2 bytes, and its head of 2**28 x 2.
    more = 0.125 + 4096 * 4096 / GIB + 0.5
    assert beside.logits_gib == pytest.approx(alone.logits_gib + more)
    assert beside.device_gib == pytest.approx(alone.device_gib + 0.5 + more)


@pytest.mark.parametrize(
    ("words", "gib"),
    [
        # 200,000 loss tokens of 2,048 x 2 bytes over 4 ranks; half of the stream's 3 x 200 rows.
        ((), 200_000 * 4096 / 4 / GIB),
        (("engine.reference_cache_gib=0.125",), 0.125),
        (("engine.reference_cache_gib=0",), 0.0),
        (("train.epochs=0.9",), 0.0),  # no row comes twice
        (("batch.micro_batch_size=2",), 0.0),  # states depend on what else is in the row
        (("batch.micro_batch_size=2", "cluster.device=cuda"), 200_000 * 4096 / 4 / GIB),
        (("batch.sequence_parallel_size=2",), 0.0),  # a rank has a part of each row
    ],
)
def test_states_of_the_base_are_kept_for_rows_that_come_twice(
    words: tuple[str, ...], gib: float
) -> None:
    library = _library(_source(), replace(_source("replay"), kl_to_base=True))
    fixed = ("cluster.tasks_per_node=4", "model.dtype=bfloat16", "batch.allow_uneven=true")
    plan = _plan(*fixed, *words, library=library)
    assert plan.reference_cache_gib == pytest.approx(gib)
    assert _plan(*fixed, *words).reference_cache_gib == 0.0


def test_a_teacher_is_the_base_model_and_its_states_are_kept() -> None:
    taught = replace(_source(), distilled_tokens=50_000, teacher_tokens=600_000)
    words = ("cluster.tasks_per_node=4", "model.dtype=bfloat16", "batch.allow_uneven=true")
    plan = _plan(*words, library=replace(_library(taught), context_distillation=0.5))
    assert plan.base_gib == 0.5  # 2**30 x 2 bytes / 4 ranks
    assert plan.reference_cache_gib == pytest.approx(50_000 * 4096 / 4 / GIB)
    share = taught.distilled_tokens / taught.loss_tokens
    text = dict(describe(plan))["source library"]
    assert f"{share:.0%} of its loss tokens have a teacher (weight 0.5), which reads " in text
    assert "600,000 tokens a pass" in text


def test_the_base_reads_rows_of_kl_sources_and_of_teachers() -> None:
    taught = replace(_source(), teacher_tokens=3 * _source().tokens)
    follows = replace(_source("replay"), kl_to_base=True)
    # Half of the rows each: 1/2 x 3 tokens of the teacher, and 1/2 x 1.
    assert reference_share((taught, follows)) == pytest.approx(2.0)
    assert reference_share((_source(),)) == 0.0


def test_activation_checkpointing_stores_layer_inputs_and_one_layer() -> None:
    full, selective = (
        _plan(f"model.activation_checkpointing={choice}", "model.dtype=bfloat16")
        for choice in ("full", "selective")
    )
    inputs = 2048 * 2
    assert full.activations_gib == 4096 * (LAYER_BYTES + 16 * inputs + OUTER_BYTES) / GIB
    # The last of 16 layers is whole, and freed before the one below it is computed again.
    assert selective.activations_gib == 4096 * (8 * LAYER_BYTES + 8 * inputs + OUTER_BYTES) / GIB


def test_an_unfused_head_materializes_all_logits() -> None:
    plan = _plan("model.head=model", "model.dtype=float32")
    assert plan.logits_gib == 4.0 + 4096 * 2 * 2048 * 4 / GIB
    assert plan.head_gradient_gib == 1.0


def test_accumulation_in_bfloat16_halves_the_gradients() -> None:
    small = "engine.reduce_bucket_size=1"
    whole, half = _plan(small), _plan(small, "engine.accumulation_dtype=bfloat16")
    assert whole.gradients_gib - half.gradients_gib == 2.0


def test_offload_moves_terms_from_the_device_to_the_host() -> None:
    at_home, away = (
        _plan("model.dtype=bfloat16"),
        _plan("model.dtype=bfloat16", "engine=zero3_offload"),
    )
    assert at_home.host_offload_gib == 0.0
    # Master weights and moments 12, gradients twice 4 each; parameters 2.
    assert away.host_offload_gib == 20.0 + 2.0
    assert (away.parameters_gib, away.gradients_gib, away.optimizer_gib) == (0.0, 0.0, 0.0)
    assert away.gathered_gib > 0.0  # even a single rank copies them to its device


def test_pinned_blocks_are_rounded_up_to_powers_of_two() -> None:
    config = compose([*NEEDED, "engine=zero3_offload", "engine.sub_group_size=536_870_912"])
    numbers = {"parameters": 3 * 2**28, "trained": 3 * 2**28, "size": 2}
    # 12 x 3/4; gradients of 3 GiB in one block, then in sub-groups of 2 and 1 GiB; weights of 1.5.
    on_cpu = host_offload_bytes(config, device="cpu", **numbers)
    on_gpu = host_offload_bytes(config, device="cuda", **numbers)
    assert on_cpu / GIB == 9.0 + 3.0 + 2.0 + 1.0 + 1.5
    assert on_gpu / GIB == 9.0 + 4.0 + 2.0 + 1.0 + 2.0


def test_layer_inputs_in_pinned_memory_are_rounded_one_by_one() -> None:
    words = (
        *("model.activation_checkpointing=full", "model.activation_offload=true"),
        *("model.dtype=bfloat16", "batch.sequence_length=3072", "batch.tokens=3072"),
    )
    # 3,072 tokens of 2,048 x 2 bytes are 12 MiB a layer; 16 on a GPU.
    assert _plan(*words).host_offload_gib == 16 * 12 / 1024
    assert _plan(*words, "cluster.device=cuda").host_offload_gib == 16 * 16 / 1024


def test_by_sample_on_gpus_repeats_keys_and_values_for_every_head() -> None:
    words = ("model.activation_checkpointing=none", "model.dtype=float32", "cluster.device=cuda")
    plan = _plan(*words)
    # Norms 2 x (8 + 4) ... in float32: copy and output each 4 + 4 + 4 bytes of 2,048, twice.
    norms, mlp = 2 * 12 * 2048, 4 * 8192 * 4
    # Queries, keys and values for 16 heads of 128, and the output twice; 4 bytes a head.
    attention = 5 * 2048 * 4 + 64
    outer = 8 * 2048 + 2 * 128 * 4 + 16
    assert plan.activations_gib == 4096 * (16 * (norms + attention + mlp) + outer) / GIB


def test_the_table_says_where_a_family_is_not_known() -> None:
    row = "memory of layers"
    assert row not in dict(describe(_plan()))
    assert MODEL.layer is not None
    guessed = replace(MODEL, layer=replace(MODEL.layer, is_known=False))
    assert "estimate" in dict(describe(_plan(model=guessed)))[row]


def test_disk_counts_retained_checkpoints_one_being_written_and_the_export() -> None:
    plan = _plan(
        "checkpoint.keep_latest=3",
        "export.dtype=bfloat16",
        "train.steps=4",
        "checkpoint.every_steps=1",
    )
    assert plan.checkpoint_gib == 12.0
    assert plan.export_gib == 2.0
    assert plan.disk_gib == 4 * 12.0 + 2.0


def test_disk_counts_no_more_checkpoints_than_the_run_writes() -> None:
    def checkpoints(*overrides: str) -> float:
        plan = _plan("checkpoint.keep_latest=3", "train.steps=25", *overrides)
        return (plan.disk_gib - plan.export_gib) / plan.checkpoint_gib

    assert checkpoints("checkpoint.every_steps=0") == 1
    assert checkpoints("checkpoint.every_steps=500") == 1
    assert checkpoints("checkpoint.every_steps=10") == 3  # after 10, 20 and 25 steps
    assert checkpoints("checkpoint.every_steps=5") == 4


def test_dtype_follows_the_device() -> None:
    config = compose([*NEEDED, *fixed_engine("train.epochs=3")])
    facts = {"model": MODEL, "library": _library()}
    assert make_plan(config, **facts).dtype == "float32"  # type: ignore[arg-type]
    assert make_plan(config, **facts, device="cuda").dtype == "bfloat16"  # type: ignore[arg-type]


def test_only_a_guessed_device_is_an_estimate() -> None:
    config = compose([*NEEDED[:3], *NEEDED[4:], *fixed_engine("train.epochs=3")])
    guessed = make_plan(config, model=MODEL, library=_library())
    assert {"device", "dtype", "activations_gib", "gathered_gib"} <= set(guessed.estimates)
    assert "dtype" not in _plan().estimates


def test_a_sequence_longer_than_the_context_is_refused_with_the_limit() -> None:
    with pytest.raises(ConfigError) as caught:
        _plan("batch.sequence_length=16384")
    assert caught.value.remedy == "set batch.sequence_length to at most 8192."


def test_plan_and_facts_survive_json() -> None:
    library = _library(_source(), _source("replay", weight=0.3))
    assert PackedDatasetInfo.from_json(library.to_json()) == library
    plan = _plan(library=library)
    assert Plan.from_json(plan.to_json()) == plan


def test_the_table_marks_estimates() -> None:
    rows = dict(describe(_plan("cluster.tasks_per_node=2", "train.steps=25")))
    assert rows["steps"] == "25"
    assert rows["one step"] == "32 sequences of 4,096 tokens = 2 ranks x 16 micro-steps x 1"
    assert rows["optimizer, per rank"] == "4.00 GiB"  # 8 bytes in float32
    assert rows["activations, per rank"].startswith("about ")
    assert rows["source library"] == "300 samples, 400,000 tokens in 100 rows, 100.0% of the stream"
    assert rows["disk"] == "16.00 GiB"


def test_planning_loads_no_torch() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, ftdist.plan.planner; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    ).stdout.split()
    assert {"torch", "transformers", "numpy", "hydra"} & set(loaded) == set()
