"""Estimate how long a run takes: from an earlier run of its kind, else from published rates."""

import math
import os
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from ftdist.config.schema import RunConfig
from ftdist.io.jsonl import read_json_lines
from ftdist.plan.dataset_info import row_shares
from ftdist.plan.model_info import ModelInfo, read_model_info
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

GPU_TFLOPS = {
    "GB200": 2500,
    "B200": 2250,
    "GH200": 989,
    "H200": 989,
    "H100": 989,
    "H800": 989,
    "A100": 312,
    "A800": 312,
    "L40S": 362,
    "A40": 150,
    "A10": 125,
    "L4": 121,
    "V100": 125,
    "RTX 4090": 165,
    "RTX 3090": 71,
}
"""Peak TFLOP/s of dense 16-bit products with 32-bit sums, of NVIDIA's data sheets (SXM form)."""

ASSUMED_GPU = "A100"
MFU = 0.3
"""Share of the peak that model FLOPs reach. torchtitan reports 5,762 tokens/s per H100 for
Llama-3.1-8B in sequences of 8,192: 0.32. ftdist itself was not measured on a GPU."""

CPU_GFLOPS = 40
"""GFLOP/s of a core in a step of SmolLM2-135M in float32: docs/LOG.md, 96 tokens/s on two cores of
an AMD EPYC with AVX2."""

_STEP_S, _DATA_S = "time/step_s", "time/data_s"  # as `ftdist.observe.metrics` names them
_MIN_MEASURED_STEPS = 3
_GPUS = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True, kw_only=True)
class Duration:
    """How long training takes, without start, evaluation and checkpoints."""

    seconds: float
    tokens_per_s: float
    """Tokens of the steps, padding included, over all ranks."""

    basis: str
    """Where the rate is from."""


def estimate_duration(config: RunConfig, *, plan: Plan, gpu: str | None = None) -> Duration:
    """Estimate how long the steps of a run take.

    An earlier run under `run.root` counts if it has the model, device, dtype and ranks of this one.

    Args:
        config: planned, with absolute paths.
        plan: of that config.
        gpu: name of the GPU; None: this machine's if it has one, else `ASSUMED_GPU`.

    Raises:
        ModelError: the model cannot be read.
    """
    rate, basis = _measured_rate(config, plan=plan) or _published_rate(config, plan=plan, gpu=gpu)
    return Duration(seconds=plan.tokens / rate, tokens_per_s=rate, basis=basis)


def flops_per_token(config: RunConfig, *, plan: Plan, model: ModelInfo) -> float:
    """FLOPs of a training step per token: 6 N + 6 L H T for causal attention over T tokens.

    A third more with activation checkpointing, whose backward pass repeats the forward pass; and a
    forward pass, a third of that, of the base model on rows with `library.kl_to_base`.
    """
    attention = model.layers * model.hidden_size * plan.sequence_length
    forward = 2 * (model.parameters + attention)
    shares = zip(plan.library.sources, row_shares(plan.library.sources), strict=True)
    kl_share = math.fsum(share for source, share in shares if source.kl_to_base)
    return forward * (3 + config.model.activation_checkpointing + kl_share)


def _measured_rate(config: RunConfig, *, plan: Plan) -> tuple[float, str] | None:
    """Tokens/s of the newest earlier run of this kind, from its median step; None: no such run."""
    found: list[tuple[float, float, str]] = []
    for run, earlier in _earlier_plans(Path(config.run.root)):
        alike = (earlier.device, earlier.dtype, earlier.world_size, earlier.parameters)
        if alike != (plan.device, plan.dtype, plan.world_size, plan.parameters):
            continue
        if _model_path(run) != config.model.path:
            continue
        rows = [row for row in read_json_lines(run.metrics) if _STEP_S in row]
        steps = [row[_STEP_S] + row.get(_DATA_S, 0.0) for row in rows]
        if len(steps) < _MIN_MEASURED_STEPS:
            continue
        tokens = earlier.global_sequences * earlier.sequence_length
        basis = f"measured in run {run.name}, median of {len(steps):,} steps"
        found.append((run.metrics.stat().st_mtime, tokens / statistics.median(steps), basis))
    return max(found)[1:] if found else None


def _earlier_plans(root: Path) -> Iterator[tuple[RunDir, Plan]]:
    for path in root.glob("*/plan.json"):
        try:
            yield RunDir(path.parent), Plan.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError):
            continue  # of another version, or damaged


def _model_path(run: RunDir) -> str | None:
    try:
        path: str = yaml.safe_load(run.config.read_text(encoding="utf-8"))["model"]["path"]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None
    return path


def _published_rate(config: RunConfig, *, plan: Plan, gpu: str | None) -> tuple[float, str]:
    """Tokens/s of all ranks from the peak of the device."""
    model = read_model_info(Path(config.model.path))
    each = flops_per_token(config, plan=plan, model=model)
    if plan.device == "cpu":
        threads = plan.world_size * config.cluster.threads
        if config.cluster.executor == "local":
            threads = min(threads, len(os.sched_getaffinity(0)))
        basis = f"assumed: {CPU_GFLOPS} GFLOP/s per core, as measured on one CPU"
        return threads * CPU_GFLOPS * 1e9 / each, basis
    named = gpu or _gpu_here()
    known = next((name for name in GPU_TFLOPS if named and _matches(name, named)), None)
    peak = GPU_TFLOPS[known or ASSUMED_GPU]
    what = known or f"{ASSUMED_GPU} assumed"
    basis = f"published: {what}, {peak} TFLOP/s at {MFU:.0%} MFU"
    return plan.world_size * peak * 1e12 * MFU / each, basis


def _gpu_here() -> str | None:
    """The model of this machine's first GPU, as its driver names it; None: there is none."""
    for path in sorted(_GPUS.glob("*/information")):
        if found := re.search(r"^Model:\s*(.+)$", path.read_text(errors="replace"), re.MULTILINE):
            return found[1].strip()
    return None


def _matches(name: str, device: str) -> bool:
    return re.search(rf"(?<![A-Z0-9]){name}(?![0-9])", device.upper()) is not None
