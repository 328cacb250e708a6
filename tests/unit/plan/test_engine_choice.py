"""What the plan chooses for models of published shapes; sizes are worked by hand."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO
from ftdist.errors import ConfigError
from ftdist.plan import hardware
from ftdist.plan.engine_choice import choose_engine, reopen
from ftdist.plan.engine_keys import CHECKPOINTING, FIXED, MICRO_BATCH, value_of, with_values
from ftdist.plan.hardware import find_hardware
from ftdist.plan.memory import memory_terms
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Choice
from ftdist.plan.traffic import step_traffic
from tests.support.counting import count

VOCABULARY = 128_256
CONF = Path(__file__).parents[3] / "conf"


def llama(hidden: int, *, layers: int, mlp: int) -> ModelInfo:
    """Llama-3.1's shapes: 8 key-value heads of 128, untied embeddings."""
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, hidden),
        "lm_head.weight": (VOCABULARY, hidden),
        "model.norm.weight": (hidden,),
    }
    matrices = {
        **dict.fromkeys(("self_attn.q_proj", "self_attn.o_proj"), (hidden, hidden)),
        **dict.fromkeys(("self_attn.k_proj", "self_attn.v_proj"), (1024, hidden)),
        **dict.fromkeys(("mlp.gate_proj", "mlp.up_proj"), (mlp, hidden)),
        "mlp.down_proj": (hidden, mlp),
        **dict.fromkeys(("input_layernorm", "post_attention_layernorm"), (hidden,)),
    }
    for layer in range(layers):
        shapes |= {f"model.layers.{layer}.{name}.weight": s for name, s in matrices.items()}
    sizes = [math.prod(shape) for shape in shapes.values()]
    return ModelInfo(
        parameters=sum(sizes),
        largest_parameter=max(sizes),
        hidden_size=hidden,
        layers=layers,
        vocab_size=VOCABULARY,
        max_position=131_072,
        model_type="llama",
        tied=False,
        shapes=shapes,
    )


MODEL_8B = llama(4096, layers=32, mlp=14_336)
MODEL_70B = llama(8192, layers=80, mlp=28_672)
MODEL_405B = llama(16_384, layers=126, mlp=53_248)


def asked(*overrides: str, nodes: int = 1, length: int = 4096, rows: int = 4) -> RunConfig:
    """A config for nodes of eight H100, with so many sequences per rank and step."""
    return compose(
        [
            *("run.name=r", "model.path=m", "library.path=l", "cluster=slurm"),
            *(f"cluster.nodes={nodes}", "cluster.tasks_per_node=8", "cluster.device=cuda"),
            *(f"batch.sequence_length={length}", f"batch.tokens={nodes * 8 * length * rows}"),
            *(() if any("cluster.gpu=" in word for word in overrides) else ("cluster.gpu=H100",)),
            *overrides,
        ]
    )


def chosen(
    config: RunConfig, model: ModelInfo, *, device: str = "cuda"
) -> tuple[RunConfig, dict[str, Choice]]:
    planned, choices = choose_engine(
        config,
        model=model,
        dtype="bfloat16" if device == "cuda" else "float32",
        hardware=find_hardware(config.cluster, device=device),  # type: ignore[arg-type]
        uses_reference=False,
    )
    assert all(value_of(planned, key) != AUTO for key in FIXED)
    assert {key for key in FIXED if value_of(config, key) == AUTO} == {c.key for c in choices}
    return planned, {choice.key: choice for choice in choices}


def device_gib(config: RunConfig, model: ModelInfo) -> float:
    terms = memory_terms(config, model=model, dtype="bfloat16", steps=1, uses_reference=False)
    return terms["device_gib"] + terms["outside_gib"]


def test_an_8b_model_on_eight_h100_keeps_all_parameters_on_every_rank() -> None:
    # A layer: 2 x 4096^2 + 2 x 1024 x 4096 + 3 x 14336 x 4096 + 2 x 4096 = 218,112,000.
    # N = 32 layers + 2 x 128256 x 4096 + 4096 = 8,030,261,248; in bf16 15.0 of 72 x 25 % = 18 GiB.
    config, choices = chosen(asked(), MODEL_8B)
    engine = config.engine
    assert engine.param_persistence_threshold == MODEL_8B.largest_parameter == 525_336_576
    assert engine.max_live_parameters == MODEL_8B.parameters == 8_030_261_248
    assert engine.prefetch_bucket_size == 220_000_000
    assert engine.reduce_bucket_size == 220_000_000  # 1.0 GiB in float32, of 80 x 4 % = 3.2
    assert engine.sub_group_size == 260_000_000  # N / 8 / 4 = 250.9 million, in two digits
    assert (engine.offload_optimizer, engine.offload_parameters) == (False, False)
    assert (engine.hpz_partition_size, engine.communication_dtype) == (1, "float32")
    assert "gathered once per step" in choices["engine.max_live_parameters"].reason
    traffic = step_traffic(config, model=MODEL_8B, dtype="bfloat16", micro_steps=4)
    assert traffic.gathers == 1
    assert traffic.all_gather_bytes == MODEL_8B.parameters * 2 * 7 / 8
    assert traffic.reduce_scatter_bytes == MODEL_8B.parameters * 4 * 4 * 7 / 8
    assert traffic.between_bytes == 0


def test_a_70b_model_on_64_h100_gathers_layers_and_has_a_copy_per_node() -> None:
    # A layer: 2 x 8192^2 + 2 x 1024 x 8192 + 3 x 28672 x 8192 + 2 x 8192 = 855,654,400: 6.4 GiB of
    # copies in 80 x 8 % = 6.4 GiB, to the byte, so not 860 million. N = 70,553,706,496.
    config, choices = chosen(asked(nodes=8, length=8192), MODEL_70B)
    engine = config.engine
    assert engine.prefetch_bucket_size == 855_654_400
    assert engine.max_live_parameters == 2_800_000_000  # 2 layers + 1,050,673,152 of the head
    assert engine.reduce_bucket_size == 855_654_400
    assert engine.param_persistence_threshold == 100_000  # norms: 161 x 8,192
    assert engine.sub_group_size == 280_000_000  # N / 64 / 4 = 275.6 million
    assert engine.hpz_partition_size == 8  # 131.4 / 8 = 16.4 of at most 18 GiB
    assert engine.communication_dtype == "float32"
    assert "16.43 GiB per rank" in choices["engine.hpz_partition_size"].reason
    assert config.model.activation_checkpointing == "full"
    micro_steps = 4 // config.batch.micro_batch_size  # type: ignore[operator]
    traffic = step_traffic(config, model=MODEL_70B, dtype="bfloat16", micro_steps=micro_steps)
    # One gather over all 64 ranks, the others inside the node.
    gradients, weights = 4 * micro_steps * MODEL_70B.parameters, 2 * MODEL_70B.parameters
    assert traffic.gathers == 2 * micro_steps
    assert traffic.between_bytes == (gradients + weights) * 63 / 64
    assert traffic.all_gather_bytes == pytest.approx(
        weights * (63 / 64 + (2 * micro_steps - 1) * 7 / 8)
    )


def test_gradients_cross_a_slow_network_in_bfloat16() -> None:
    # One port of 400 Gbit/s for eight GPUs: 37.5 GB/s at 75 %.
    slow = asked("cluster.network_gbit_s=400", nodes=8, length=8192)
    config, choices = chosen(slow, MODEL_70B)
    assert config.engine.communication_dtype == "bfloat16"
    assert config.engine.reduce_bucket_size == 860_000_000  # 1.6 of 3.2 GiB
    assert "communication in float32 takes" in choices["engine.communication_dtype"].reason


def test_a_405b_model_gathers_parts_of_a_layer() -> None:
    # A layer has 3,187,703,808 elements: 8 % of 80 GiB are 4 x 2 bytes of 858,993,459.
    config, _ = chosen(asked(nodes=64, length=8192), MODEL_405B)
    assert config.engine.prefetch_bucket_size == 858_993_459
    assert config.engine.max_live_parameters == 4_100_000_000  # a layer and the bucket
    assert config.engine.sub_group_size == 200_000_000  # N / 512 / 4 = 198.2 million
    assert config.engine.hpz_partition_size == 1  # 94.5 GiB per rank
    assert config.model.activation_checkpointing == "full"


@pytest.mark.parametrize("model", [MODEL_8B, MODEL_70B, MODEL_405B])
def test_choosing_for_32768_ranks_takes_no_longer_than_for_64(model: ModelInfo) -> None:
    few, many = asked(nodes=8, length=8192), asked(nodes=4096, length=8192)
    assert count(lambda: chosen(many, model)).lines < 2 * count(lambda: chosen(few, model)).lines
    assert chosen(many, model)[0].engine.sub_group_size == 50_000_000


@pytest.mark.parametrize(
    ("model", "nodes", "length"),
    [(MODEL_8B, 1, 4096), (MODEL_8B, 1, 16_384), (MODEL_70B, 8, 4096), (MODEL_405B, 64, 4096)],
)
def test_checkpointing_and_micro_batch_use_the_memory_and_no_more(
    model: ModelInfo, nodes: int, length: int
) -> None:
    config, _ = chosen(asked(nodes=nodes, length=length, rows=8), model)
    assert device_gib(config, model) <= 0.9 * 80
    micro = config.batch.micro_batch_size
    assert isinstance(micro, int)
    if micro < 8 and 2 * micro * length <= 32_768:
        twice = with_values(config, {MICRO_BATCH: 2 * micro}, only_auto=False)
        assert device_gib(twice, model) > 0.9 * 80
    less = {"full": "selective", "selective": "none"}.get(config.model.activation_checkpointing)
    if less:
        assert device_gib(with_values(config, {CHECKPOINTING: less}, only_auto=False), model) > 72


@pytest.mark.parametrize(("model", "nodes"), [(MODEL_8B, 1), (MODEL_70B, 8)])
def test_reasons_have_sums_of_rejected_values_only(model: ModelInfo, nodes: int) -> None:
    _, choices = chosen(asked(nodes=nodes, length=8192), model)
    for key in (CHECKPOINTING, MICRO_BATCH, "engine.offload_optimizer"):
        for gib in re.findall(r"([\d.]+) GiB", choices[key].reason):
            assert float(gib) >= 0.9 * 80, choices[key].reason


def test_a_value_that_is_typed_stays_and_the_others_adapt() -> None:
    typed = ("model.activation_checkpointing=full", "engine.max_live_parameters=1e9")
    config, choices = chosen(asked(*typed), MODEL_8B)
    assert config.model.activation_checkpointing == "full"
    assert config.engine.max_live_parameters == 1_000_000_000
    assert config.engine.param_persistence_threshold == 100_000  # not resident
    assert config.batch.micro_batch_size == 4
    assert CHECKPOINTING not in choices
    assert chosen(config, MODEL_8B) == (config, {})


def test_memory_decides_between_offload_and_none() -> None:
    # 8B on one GPU of 80 GiB: 18 bytes per parameter are 135 GiB.
    one = asked("cluster.tasks_per_node=1")
    config, choices = chosen(one, MODEL_8B)
    assert config.engine.offload_optimizer is True
    assert "without, a rank needs" in choices["engine.offload_optimizer"].reason
    small_host = replace(one, cluster=replace(one.cluster, memory_gib=32))
    config, choices = chosen(small_host, MODEL_8B)
    assert config.engine.offload_optimizer is False
    assert "nothing fits" in choices["engine.offload_optimizer"].reason


def test_an_unknown_gpu_is_assumed_and_that_is_said() -> None:
    cluster = asked("cluster.gpu=null").cluster
    assumed = find_hardware(cluster, device="cuda")
    assert (assumed.is_assumed, assumed.memory_gib) == (True, 40)
    assert assumed.basis == "unknown: A100 with 40 GiB assumed; set cluster.gpu"
    known = find_hardware(replace(cluster, gpu_memory_gib=141), device="cuda")
    assert (known.is_assumed, known.memory_gib) == (False, 141)
    named = find_hardware(replace(cluster, gpu="NVIDIA H100 80GB HBM3", nodes=2), device="cuda")
    assert named.basis == "H100, 80 GiB, by cluster.gpu; 3,200 Gbit/s per node assumed"
    assert (named.inside_gb_per_s, named.between_gb_per_s) == (360, 300)


def test_on_cpus_the_sizes_are_those_of_zero3_and_memory_decides_checkpointing() -> None:
    words = ("cluster.device=cpu", "cluster.gpu=null", "cluster.memory_gib=4096")
    config, choices = chosen(asked(*words), MODEL_8B, device="cpu")
    values = yaml.safe_load((CONF / "engine" / "zero3.yaml").read_text())
    assert {key: FIXED[f"engine.{key}"] for key in values if f"engine.{key}" in FIXED} == {
        key: value for key, value in values.items() if f"engine.{key}" in FIXED
    }
    assert {key: value_of(config, f"engine.{key}") for key in values} == values
    assert (config.model.activation_checkpointing, config.batch.micro_batch_size) == ("none", 1)
    assert "in 358.40 GiB" in choices[CHECKPOINTING].reason  # 4096 / 8 x 70 %
    unknown = replace(config.cluster, memory_gib=None)
    open_again = with_values(config, {CHECKPOINTING: AUTO}, only_auto=False)
    config, choices = chosen(replace(open_again, cluster=unknown), MODEL_8B, device="cpu")
    assert config.model.activation_checkpointing == "full"


def test_a_resumed_run_chooses_again_except_what_rounds_differently() -> None:
    config, choices = chosen(asked(), MODEL_8B)
    again = reopen(config, tuple(choices.values()))
    assert again.engine.communication_dtype == "float32"
    assert value_of(again, MICRO_BATCH) == AUTO
    assert again.engine.sub_group_size == AUTO
    typed, choices = chosen(asked("engine.sub_group_size=7"), MODEL_8B)
    assert reopen(typed, tuple(choices.values())).engine.sub_group_size == 7


def test_an_instance_of_a_gpu_is_not_planned_as_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "gpus" / "0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ: 1\n")
    monkeypatch.setattr(hardware, "_GPUS", tmp_path / "gpus")
    monkeypatch.setattr(hardware, "_INSTANCES", tmp_path / "capabilities")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cluster = replace(asked("cluster.gpu=null").cluster, executor="local")
    assert find_hardware(cluster, device="cuda").memory_gib == 80
    (tmp_path / "capabilities" / "gpu0" / "mig" / "gi1").mkdir(parents=True)
    with pytest.raises(ConfigError, match="MIG instances"):
        find_hardware(cluster, device="cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert find_hardware(cluster, device="cuda").memory_gib == 80
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7089d0f3-293f-58c9-8f8c-5ea666eedbde")
    with pytest.raises(ConfigError, match="MIG instances"):
        find_hardware(cluster, device="cuda")
    known = find_hardware(replace(cluster, gpu_memory_gib=10), device="cuda")
    assert (known.memory_gib, known.is_assumed) == (10, False)
