"""Choices of the engine's settings: each function sets some values, with the reason in words."""

from dataclasses import dataclass
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO, resolved
from ftdist.io.units import format_count, format_gib
from ftdist.plan import engine_sizes as sizes
from ftdist.plan.engine_keys import CHECKPOINTING, FIXED, MICRO_BATCH, value_of, with_values
from ftdist.plan.fit import USABLE
from ftdist.plan.hardware import Hardware
from ftdist.plan.memory import memory_terms
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.traffic import DTYPE_BYTES, step_traffic

USABLE_ON_CPU = 0.7
"""Of the memory of a rank on CPUs, that the plan's estimate may fill; on GPUs `USABLE`."""

RESIDENT_SHARE = 0.25
"""Of that, which whole parameters (or hpZ's copy of them) may take."""

MAX_ROW_TOKENS = 32_768
"""Tokens of a rank's micro-batch above which a larger one is not sought."""

GEMM_SHARE = 0.6
"""Of a GPU's peak, that the matrix products of layers reach."""

HIDDEN_SHARE = 0.7
"""Of the computation of a step, behind which communication can hide."""


@dataclass(frozen=True)
class Planned:
    """What the choices depend on."""

    config: RunConfig
    model: ModelInfo
    dtype: str
    hardware: Hardware
    uses_reference: bool

    @property
    def usable_gib(self) -> float:
        """Memory of a rank that may be filled; infinite where it is unknown."""
        if self.hardware.memory_gib is None:
            return float("inf")
        return self.hardware.memory_gib * (USABLE if self.hardware.gpu else USABLE_ON_CPU)

    @property
    def memory_bytes(self) -> float:
        """All memory of a GPU."""
        assert self.hardware.memory_gib is not None, "a GPU's memory is known or assumed"
        return self.hardware.memory_gib * 2**30

    def terms(self, values: dict[str, Any]) -> dict[str, float]:
        """The memory terms with these values where the config says auto."""
        return memory_terms(
            with_values(self.config, values),
            model=self.model,
            dtype=self.dtype,
            steps=1,
            uses_reference=self.uses_reference,
            device="cuda" if self.hardware.gpu else "cpu",
        )

    def device_gib(self, values: dict[str, Any]) -> float:
        """The memory of the device with these values, the allocator's and what CUDA takes."""
        return _device_gib(self.terms(values))

    def fits(self, values: dict[str, Any]) -> bool:
        """Whether a rank has the memory for these values."""
        terms = self.terms(values)
        if self.hardware.gpu is None:
            return _device_gib(terms) + terms["host_offload_gib"] <= self.usable_gib
        in_host = terms["host_offload_gib"]
        host = self.hardware.host_gib
        return _device_gib(terms) <= self.usable_gib and (host is None or in_host <= host)

    def is_open(self, key: str) -> bool:
        """Whether the config says auto."""
        return bool(value_of(self.config, key) == AUTO)

    @property
    def rows(self) -> int:
        """Sequences of a rank in one step, rounded up; 1 before the size of a step is known.

        Of the ranks that share a row, all have the same ones.
        """
        batch = self.config.batch
        if batch.tokens == AUTO:
            return 1
        sequences = resolved(batch.tokens) // resolved(batch.sequence_length)
        groups = max(1, self.config.cluster.world_size // batch.sequence_parallel_size)
        return max(1, -(-sequences // groups))


def _device_gib(terms: dict[str, float]) -> float:
    return terms["device_gib"] + terms["outside_gib"]


Values = tuple[dict[str, Any], dict[str, str]]


def choose_on_cpus(run: Planned) -> Values:
    """The values of engine=zero3, and only as much checkpointing as memory needs."""
    reasons = dict.fromkeys(FIXED, "as engine=zero3: on CPUs buckets hide no communication")
    values = dict(FIXED)
    if run.hardware.memory_gib is not None:
        values[CHECKPOINTING], reasons[CHECKPOINTING] = _checkpointing(run, values)
    else:
        reasons[CHECKPOINTING] = "the memory of a node is not known"
    reasons[MICRO_BATCH] = "on CPUs a larger row computes no faster"
    return values, reasons


def choose_on_gpus(run: Planned) -> Values:
    """Sizes by shapes; then offload, checkpointing, whole parameters and micro-batch by memory.

    A reason has the sum of what was rejected, never of what was chosen: a later choice changes it.
    """
    values, reasons = _bucket_sizes(run)
    _place_optimizer(run, values, reasons)
    values[CHECKPOINTING], reasons[CHECKPOINTING] = _checkpointing(run, values)
    _place_parameters(run, values, reasons)
    values[MICRO_BATCH], reasons[MICRO_BATCH] = _micro_batch(run, values)
    _reduce_dtype(run, values, reasons)
    return values, reasons


def _bucket_sizes(run: Planned) -> Values:
    """Sizes that follow from the shapes of the model alone, and the leanest other values."""
    model, ranks = run.model, run.config.cluster.world_size
    memory = run.memory_bytes
    width = DTYPE_BYTES[run.dtype]
    layer = sizes.layer_elements(model)
    prefetch = sizes.prefetch_bucket(model, memory=memory, dtype_bytes=width)
    live, two_layers = sizes.live_parameters(
        model, prefetch=prefetch, memory=memory, dtype_bytes=width
    )
    values = {
        **FIXED,
        "engine.prefetch_bucket_size": prefetch,
        "engine.max_live_parameters": live,
        "engine.reduce_bucket_size": sizes.reduce_bucket(
            model, ranks=ranks, memory=memory, communication_bytes=4
        ),
        "engine.param_persistence_threshold": sizes.persistence_threshold(
            model, ranks=ranks, memory=memory, dtype_bytes=width
        ),
        "engine.sub_group_size": sizes.sub_group(model, ranks=ranks),
    }
    whole = prefetch >= layer
    reasons = {
        "engine.prefetch_bucket_size": f"one layer ({layer:,} elements) per collective"
        if whole
        else f"a layer ({layer:,} elements) would take more than 8 % of memory",
        "engine.max_live_parameters": "two layers and an embedding: one layer computes while the "
        "next is gathered"
        if two_layers
        else "a layer and what is gathered ahead: a second layer would take over 10 % of memory",
        "engine.reduce_bucket_size": "a layer, or a million elements per rank, in at most 4 % of "
        "memory",
        "engine.param_persistence_threshold": "small parameters stay whole: less than 5 % of a "
        "shard, or 0.1 % of memory",
        "engine.sub_group_size": "a quarter of a rank's shard is updated at once, from 50 million "
        "elements to a billion",
    }
    return values, reasons


def _place_optimizer(run: Planned, values: dict[str, Any], reasons: dict[str, str]) -> None:
    """Offload as a last resort: first the optimizer, then the parameters too."""
    keys = ("engine.offload_optimizer", "engine.offload_parameters")
    needed = format_gib(run.device_gib(values))
    enough = f"a rank fits in {format_gib(run.usable_gib)} without"
    reasons.update(dict.fromkeys(keys, enough))
    if run.fits(values):
        return
    for place in ((True, False), (True, True)):
        moved = {**values, **dict(zip(keys, place, strict=True))}
        if run.fits(moved):
            values.update(moved)
            without = f"without, a rank needs {needed} of {format_gib(run.usable_gib)}"
            reasons.update(dict.fromkeys(keys, without))
            if not place[1]:
                reasons[keys[1]] = "it fits with the optimizer alone in host memory"
            return
    reasons.update(dict.fromkeys(keys, f"nothing fits: a rank needs {needed} without"))


def _checkpointing(run: Planned, values: dict[str, Any]) -> tuple[str, str]:
    """As few layers recomputed as fit, with one sequence per micro-step."""
    needed = {
        choice: run.device_gib({**values, CHECKPOINTING: choice})
        for choice in ("none", "selective")
    }
    usable = format_gib(run.usable_gib)
    if run.fits({**values, CHECKPOINTING: "none"}):
        return "none", f"all activations fit in {usable} per rank"
    if run.fits({**values, CHECKPOINTING: "selective"}):
        return "selective", f"all activations would need {format_gib(needed['none'])} of {usable}"
    return "full", f"every second layer would need {format_gib(needed['selective'])} of {usable}"


def _place_parameters(run: Planned, values: dict[str, Any], reasons: dict[str, str]) -> None:
    """All parameters on every rank, or a second copy on every node (hpZ), where they fit."""
    model, cluster = run.model, run.config.cluster
    whole_gib = model.parameters * DTYPE_BYTES[run.dtype] / 2**30
    keys = ("engine.param_persistence_threshold", "engine.max_live_parameters")
    limit = RESIDENT_SHARE * run.usable_gib
    hpz = "engine.hpz_partition_size"
    resident = {
        **values,
        keys[0]: model.largest_parameter,
        keys[1]: model.parameters,
    }
    if all(map(run.is_open, keys)) and whole_gib <= limit and run.fits(resident):
        values.update(resident)
        reasons.update(
            dict.fromkeys(
                keys,
                f"all parameters ({format_gib(whole_gib)}) stay on every rank: gathered once per "
                "step",
            )
        )
        reasons[hpz] = "all parameters stay on every rank"
        return
    ranks = cluster.tasks_per_node
    copy_gib = whole_gib / ranks
    reasons[hpz] = "one node" if cluster.nodes == 1 else "one rank per node"
    if cluster.nodes > 1 and ranks > 1:
        copied = {**values, hpz: ranks}
        if copy_gib <= limit and run.fits(copied):
            values.update(copied)
            reasons[hpz] = (
                f"backward gathers inside the node, from a copy of {format_gib(copy_gib)} per rank"
            )
        else:
            reasons[hpz] = f"a copy per node would take {format_gib(copy_gib)} per rank"


def _micro_batch(run: Planned, values: dict[str, Any]) -> tuple[int, str]:
    """The largest divisor of a rank's sequences that fits."""
    length = resolved(run.config.batch.sequence_length)
    of_rank = MAX_ROW_TOKENS * run.config.batch.sequence_parallel_size
    most = max(1, min(run.rows, of_rank // length))
    divisors = [size for size in range(most, 0, -1) if run.rows % size == 0]
    size = next((size for size in divisors if run.fits({**values, MICRO_BATCH: size})), 1)
    of_all = f"of {format_count(run.rows, 'sequence')} per rank and step"
    if size == divisors[0]:
        limit = "all" if size == run.rows else f"at most {MAX_ROW_TOKENS:,} tokens"
        return size, f"{of_all}, {limit}"
    larger = divisors[divisors.index(size) - 1]
    more = format_gib(run.device_gib({**values, MICRO_BATCH: larger}))
    return size, f"{of_all}; {larger} would need {more} of {format_gib(run.usable_gib)}"


def _reduce_dtype(run: Planned, values: dict[str, Any], reasons: dict[str, str]) -> None:
    """float32 if communication hides behind computation; the reduce bucket follows."""
    key, bucket = "engine.communication_dtype", "engine.reduce_bucket_size"
    config = with_values(run.config, values)
    micro_steps = -(-run.rows // resolved(config.batch.micro_batch_size))
    traffic = step_traffic(
        config,
        model=run.model,
        dtype=run.dtype,
        micro_steps=micro_steps,
        uses_reference=run.uses_reference,
    )
    hardware = run.hardware
    seconds = traffic.inside_bytes / hardware.inside_gb_per_s / 1e9
    seconds += traffic.between_bytes / hardware.between_gb_per_s / 1e9
    tokens = run.rows * resolved(config.batch.sequence_length)
    tokens //= config.batch.sequence_parallel_size
    computing = 6 * run.model.parameters * tokens / (GEMM_SHARE * hardware.tflops * 1e12)
    if seconds > HIDDEN_SHARE * computing:
        values[key] = "bfloat16"
    reasons[key] = (
        f"communication in float32 takes {_seconds(seconds)} per step, computation "
        f"{_seconds(computing)}"
    )
    chosen = with_values(run.config, values).engine.communication_dtype
    values[bucket] = sizes.reduce_bucket(
        run.model,
        ranks=run.config.cluster.world_size,
        memory=run.memory_bytes,
        communication_bytes=DTYPE_BYTES[chosen],
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.2g} s"
