"""One rank of `benchmarks.components`: `python -m benchmarks.step_rank SETTINGS.json`.

ftdist's own engine without launcher, checkpoints and logs: a step's seconds by component.
"""

import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ftdist.config.compose import compose
from ftdist.data.collate import Batch, build_batch
from ftdist.data.packing import PackedSequence
from ftdist.dist.gemm import measure_gemm_tflops
from ftdist.dist.world import World, process_group
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import read_model_info
from ftdist.plan.planner import make_plan
from ftdist.zero.build import build_engine
from ftdist.zero.engine import Zero3Engine

SAMPLE_TOKENS, LEARNED = 118, 0.41
"""Of the A-45 library: tokens of a sample, and the share of them that is learned."""

GEMM_S = 2.0
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::matmul", "aten::linear")


def main() -> int:
    """Measure, and write one JSON object next to the settings."""
    path, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    settings = json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    world = World(rank=rank, size=settings["ranks"], local_rank=rank, local_size=settings["ranks"])
    with process_group(
        world,
        rendezvous=path.parent / "rendezvous",
        device="cpu",
        timeout_s=600,
        init_timeout_s=600,
    ):
        result = _measure(settings, world=world)
    (path.parent / f"rank-{rank}.json").write_text(json.dumps(result), encoding="utf-8")
    return 0


def _measure(settings: dict[str, Any], *, world: World) -> dict[str, Any]:
    engine = _engine(settings, world=world)
    device = torch.device("cpu")
    timers = _Timers()
    measured = {}
    for row_tokens, micro_steps in settings["sizes"]:
        batches = [_row(row_tokens, seed=world.rank)] * micro_steps
        _step(engine, batches)  # traces the order of parameters
        _step(engine, batches)
        rates = [measure_gemm_tflops(device, dtype=torch.float32, seconds=GEMM_S)]
        timers.clear()
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        for _ in range(settings["steps"]):
            _step(engine, batches, timers=timers)
        wall_s = (time.perf_counter() - began) / settings["steps"]
        after = resource.getrusage(resource.RUSAGE_SELF)
        rates.append(measure_gemm_tflops(device, dtype=torch.float32, seconds=GEMM_S))
        measured[str(row_tokens * micro_steps)] = {
            "wall_s": wall_s,
            "user_s": (after.ru_utime - before.ru_utime) / settings["steps"],
            "system_s": (after.ru_stime - before.ru_stime) / settings["steps"],
            "page_faults": (after.ru_minflt - before.ru_minflt) / settings["steps"],
            "parts_s": {name: s / settings["steps"] for name, s in timers.seconds.items()},
            "products_s": _products_s(engine, batches),
            "gemm_tflops": max(rates),
            "loss_tokens": sum(len(batch.targets) for batch in batches),
        }
    return measured


def _engine(settings: dict[str, Any], *, world: World) -> Zero3Engine:
    """The engine that the words of the command make, and timers around DeepSpeed's parts."""
    config = compose(settings["words"])
    source = PackedSourceInfo(
        name="library",
        weight=1.0,
        samples=100,
        sequences=100,
        tokens=40_000,
        loss_tokens=16_000,
        held_out_samples=0,
        held_out_sequences=0,
    )
    library = PackedDatasetInfo(path="unused", key="unused", sources=(source,))
    model = read_model_info(Path(config.model.path))
    plan = make_plan(config, model=model, library=library, device="cpu")
    engine = build_engine(config, plan, world=world, device="cpu", dtype="float32")
    engine.set_learning_rate(1e-5)
    return engine


def _row(tokens: int, *, seed: int) -> Batch:
    draw = np.random.default_rng(seed)
    lengths = np.full(-(-tokens // SAMPLE_TOKENS), SAMPLE_TOKENS)
    lengths[-1] -= lengths.sum() - tokens
    places = np.concatenate([np.arange(length) >= (1 - LEARNED) * length for length in lengths])
    ids = draw.integers(1, 40_000, size=tokens, dtype=np.uint32)
    return build_batch([PackedSequence(input_ids=ids, loss=places, lengths=lengths)])


def _step(engine: Zero3Engine, batches: list[Batch], *, timers: "_Timers | None" = None) -> None:
    """The calls of `train_step`, timed."""
    timers = timers or _Timers(active=False)
    tokens = sum(len(batch.targets) for batch in batches) * engine.world.size
    for batch in batches:
        loss, _ = timers.time("forward", partial(engine.forward, batch))
        timers.time("backward", partial(engine.backward, loss / tokens))
    timers.time("optimizer", engine.step)


def _products_s(engine: Zero3Engine, batches: list[Batch]) -> float:
    """Seconds of one more step in matrix products, by torch's profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        _step(engine, batches)
    events = profile.key_averages()
    return float(sum(e.self_cpu_time_total for e in events if e.key in PRODUCTS)) / 1e6


class _Timers:
    """Wall seconds by name; DeepSpeed's gathers and reductions are timed inside it."""

    def __init__(self, *, active: bool = True) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        if not active:
            return
        from deepspeed.runtime.zero.partitioned_param_coordinator import (
            PartitionedParameterCoordinator,
        )
        from deepspeed.runtime.zero.stage3 import DeepSpeedZeroOptimizer_Stage3

        self._wrap(PartitionedParameterCoordinator, "fetch_sub_module", "gathers")
        optimizer = DeepSpeedZeroOptimizer_Stage3
        self._wrap(optimizer, "reduce_ready_partitions_and_remove_grads", "reductions")
        self._wrap(optimizer, "independent_gradient_partition_epilogue", "reductions")

    def clear(self) -> None:
        """Start again."""
        self.seconds.clear()

    def time(self, name: str, action: Callable[[], Any]) -> Any:
        """Call `action` and add its seconds."""
        began = time.perf_counter()
        try:
            return action()
        finally:
            self.seconds[name] += time.perf_counter() - began

    def _wrap(self, owner: type, method: str, name: str) -> None:
        original = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            return self.time(name, partial(original, *args, **kwargs))

        setattr(owner, method, timed)


if __name__ == "__main__":
    sys.exit(main())
