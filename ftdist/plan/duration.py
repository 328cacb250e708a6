"""Estimate how long a run takes: from an earlier run of its kind, else from the device's speed."""

import os
import socket
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ftdist.config.schema import RunConfig
from ftdist.config.validation import look_up
from ftdist.io.jsonl import read_json_lines
from ftdist.plan.flops import flops_per_token, step_flops
from ftdist.plan.gpus import find_gpu
from ftdist.plan.hardware import ASSUMED_GPU, driver_gpu, find_hardware
from ftdist.plan.model_info import ModelInfo, read_model_info
from ftdist.plan.plan import Plan
from ftdist.plan.step_time import step_time
from ftdist.rundir import RunDir

CPU_GFLOPS = 40
"""GFLOP/s of a core in a step of SmolLM2-135M in float32: docs/LOG.md, 96 tokens/s on two cores of
an AMD EPYC with AVX2."""

_STEP_S, _DATA_S = "time/step_s", "time/data_s"  # as `ftdist.observe.metrics` names them
_MIN_MEASURED_STEPS = 3
_PLAN_FIELDS = (
    *("device", "dtype", "world_size", "parameters", "frozen_parameters"),
    *("sequence_length", "micro_batch_size", "sequence_parallel_size"),
)
_CONFIG_KEYS = (
    *("model.path", "model.attention", "model.head", "model.activation_checkpointing"),
    *("engine.offload_optimizer", "engine.offload_parameters", "cluster.executor"),
    *("cluster.nodes", "cluster.tasks_per_node", "cluster.cpus_per_task"),
    *("cluster.partition", "cluster.constraint"),
)
"""Settings on which the rate depends. Of GPUs only the partition is known before a job starts."""


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

    An earlier run under `run.root` counts if it has the model, the settings that decide the speed
    and the ranks of this one, on the same partition or machine.

    Args:
        config: planned, with absolute paths.
        plan: of that config.
        gpu: name of the GPU; None: `cluster.gpu`, this machine's, or `ASSUMED_GPU`.

    Raises:
        ModelError: the model cannot be read.
    """
    rate, basis = _measured_rate(config, plan=plan) or _computed_rate(config, plan=plan, gpu=gpu)
    return Duration(seconds=plan.tokens / rate, tokens_per_s=rate, basis=basis)


def _measured_rate(config: RunConfig, *, plan: Plan) -> tuple[float, str] | None:
    """Tokens/s of the newest earlier run of this kind, from the median step of its last attempt.

    None: there is no such run.
    """
    for run, earlier in _earlier_plans(Path(config.run.root)):
        if _of_plan(earlier) != _of_plan(plan):
            continue
        rows = _last_attempt(run)
        if len(rows) < _MIN_MEASURED_STEPS or not _is_alike(run, config, rows[-1].get("attempt")):
            continue
        step_s = statistics.median(row[_STEP_S] + row.get(_DATA_S, 0.0) for row in rows)
        tokens = earlier.global_sequences * earlier.sequence_length
        return tokens / step_s, f"measured in run {run.name}, median of {len(rows):,} steps"
    return None


def _earlier_plans(root: Path) -> Iterator[tuple[RunDir, Plan]]:
    """The runs that have been measured, with their plans, the newest first."""
    runs = [RunDir(path.parent) for path in root.glob("*/plan.json")]
    measured = [run for run in runs if run.metrics.is_file()]
    for run in sorted(measured, key=lambda run: run.metrics.stat().st_mtime, reverse=True):
        try:
            yield run, Plan.from_json(run.plan.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError):
            continue  # of another version, or damaged


def _of_plan(plan: Plan) -> tuple[object, ...]:
    """What two plans have in common if their steps take equally long per token."""
    uses_reference = plan.library.uses_reference
    return (*(getattr(plan, name) for name in _PLAN_FIELDS), uses_reference)


def _last_attempt(run: RunDir) -> list[dict[str, Any]]:
    """The measured steps of the last attempt: earlier ones may have had other ranks."""
    rows = [row for row in read_json_lines(run.metrics) if _STEP_S in row]
    return [row for row in rows if row.get("attempt") == rows[-1].get("attempt")]


def _is_alike(run: RunDir, config: RunConfig, attempt: int | None) -> bool:
    """Whether an attempt of an earlier run had this model, these settings and such machines."""
    path = run.config if attempt is None else run.attempt(attempt) / "config.yaml"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    wanted = asdict(config)
    if any(look_up(values, key) != look_up(wanted, key) for key in _CONFIG_KEYS):
        return False
    starts = [e for e in run.read_events() if e.get("event") == "attempt_started"]
    hosts = {e.get("host") for e in starts if e.get("attempt") == attempt}
    return config.cluster.executor != "local" or not hosts or socket.gethostname() in hosts


def _computed_rate(config: RunConfig, *, plan: Plan, gpu: str | None) -> tuple[float, str]:
    """Tokens/s of all ranks from the speed of the device."""
    model = read_model_info(Path(config.model.path))
    if plan.device == "cpu":
        flops = step_flops(config, plan=plan, model=model)
        threads = plan.world_size * config.cluster.threads
        if config.cluster.executor == "local":
            threads = min(threads, len(os.sched_getaffinity(0)))
        basis = f"assumed: {CPU_GFLOPS} GFLOP/s per core, as measured on one CPU"
        return threads * CPU_GFLOPS * 1e9 / flops.hardware, basis
    named = gpu or config.cluster.gpu or driver_gpu()
    return _gpu_rate(config, plan=plan, model=model, named=named)


def _gpu_rate(
    config: RunConfig, *, plan: Plan, model: ModelInfo, named: str | None
) -> tuple[float, str]:
    known = find_gpu(named) if named else None
    sheet = known or find_gpu(ASSUMED_GPU)
    assert sheet is not None
    links = find_hardware(replace(config.cluster, gpu=sheet.name), device="cuda")
    seconds = step_time(config, plan=plan, model=model, gpu=sheet, links=links).total_s
    rate = plan.tokens / plan.steps / seconds
    flops = flops_per_token(plan.parameters, frozen=plan.frozen_parameters)
    mfu = flops * rate / plan.world_size / sheet.tflops / 1e12
    unknown = f"the speed of {named} is not known, " if named else ""
    what = sheet.name if known else f"{unknown}{sheet.name} assumed"
    return rate, f"computed for {what}, {mfu:.0%} MFU"
