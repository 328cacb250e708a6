"""A step's seconds by component, and its share of the measured rate of matrix products."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import run_ranks
from benchmarks.report import head, line
from ftdist.plan.model_info import ModelInfo, read_model_info

SIZES = ((512, 1), (1024, 4))
"""Tokens of a row, and rows of a rank and step: 512 and 4,096 tokens."""

STEPS = 2
"""Steps that are timed, after two that are not."""

PARTS = ("products", "gathers", "reductions", "optimizer", "other")


@dataclass(frozen=True, kw_only=True)
class Component:
    """A step of one rank, means over ranks; seconds of wall time."""

    tokens: int
    """Of a rank and step."""

    wall_s: float
    parts_s: dict[str, float]
    """By the names of `PARTS`; they add up to the step."""

    cpu_s: float
    """Processor time in user and in system mode."""

    system_s: float
    """Of it, in system mode."""

    faults: float
    """Page faults."""

    gemm_gflops: float
    """Measured rate of float32 products of one thread, all ranks at once, GFLOP/s."""

    flops: float
    """That the step needs: 6 per token and weight, 6 V H per loss token in the head."""

    @property
    def share(self) -> float:
        """Of the measured rate of matrix products."""
        return self.flops / self.wall_s / (self.gemm_gflops * 1e9)


def measure(words: list[str], *, model: Path, ranks: int, folder: Path) -> list[Component]:
    """Run the ranks, and read what they measured.

    Args:
        words: of the command line of `ftdist train`.
        model: its folder.
        ranks: number of processes, of one thread each.
        folder: for this run; made here.

    Raises:
        BenchmarkError: a rank failed.
    """
    folder.mkdir(parents=True)
    path = folder / "settings.json"
    settings = {"words": words, "ranks": ranks, "steps": STEPS, "sizes": SIZES}
    path.write_text(json.dumps(settings), encoding="utf-8")
    run_ranks("components", module="benchmarks.step_rank", settings=path, ranks=ranks)
    results = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(ranks)]
    info = read_model_info(model)
    return [
        _component([result[str(row * rows)] for result in results], tokens=row * rows, model=info)
        for row, rows in SIZES
    ]


def _component(results: list[dict[str, Any]], *, tokens: int, model: ModelInfo) -> Component:
    def mean(name: str) -> float:
        return float(sum(result[name] for result in results) / len(results))

    def part(name: str) -> float:
        return float(sum(result["parts_s"].get(name, 0.0) for result in results) / len(results))

    wall_s = mean("wall_s")
    timed = {name: part(name) for name in PARTS[1:4]} | {"products": mean("products_s")}
    embedding = model.vocab_size * model.hidden_size
    layers = model.parameters - embedding * (1 if model.tied else 2)
    return Component(
        tokens=tokens,
        wall_s=wall_s,
        parts_s=timed | {"other": wall_s - sum(timed.values())},
        cpu_s=mean("user_s") + mean("system_s"),
        system_s=mean("system_s"),
        faults=mean("page_faults"),
        gemm_gflops=mean("gemm_tflops") * 1e3,
        flops=6.0 * layers * tokens + 6.0 * embedding * mean("loss_tokens"),
    )


def table(components: list[Component]) -> list[str]:
    """One line per size of a step."""
    titles = ["tokens of a rank and step", "step, s", *(f"{name}, s" for name in PARTS)]
    more = ["processor time, s", "of it system, s", "page faults", "GFLOP/s of products"]
    lines = head([*titles, *more, "share of that rate"])
    for one in components:
        cells = [f"{one.tokens:,}", f"{one.wall_s:.2f}"]
        cells += [f"{one.parts_s[name]:.2f}" for name in PARTS]
        cells += [f"{one.cpu_s:.2f}", f"{one.system_s:.2f}", f"{one.faults:,.0f}"]
        lines.append(line([*cells, f"{one.gemm_gflops:.1f}", f"{one.share:.2f}"]))
    return lines
