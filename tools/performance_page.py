"""Write docs/performance.md: where the time of a step goes.

python -m tools.performance_page
"""

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from ftdist.config.compose import compose
from ftdist.config.schema import RunConfig
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.gpus import find_gpu
from ftdist.plan.hardware import find_hardware
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan
from ftdist.plan.planner import make_plan
from ftdist.plan.step_time import StepTime, step_time
from tools.hardware_reference import MODELS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
TEXT = ROOT / "tools" / "performance_page.md.in"
GPU = "H100"
EIGHT, SEVENTY = "8 B (as Llama-3.1-8B)", "70.6 B (as Llama-3.1-70B)"
CASES = (
    # title, model, nodes, sequence length, micro-batch, attention, checkpointing
    ("8B, 8 GPUs, T x T mask, all layers recomputed", EIGHT, 1, 4096, 1, "sdpa", "full"),
    ("8B, 8 GPUs, varlen, no recomputation", EIGHT, 1, 4096, 1, "varlen", "none"),
    ("8B, 8 GPUs, 8,192 tokens, every second layer", EIGHT, 1, 8192, 1, "varlen", "selective"),
    ("70B, 64 GPUs, 8,192 tokens, all layers", SEVENTY, 8, 8192, 1, "varlen", "full"),
)


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def page() -> str:
    """The text of the page."""
    text = TEXT.read_text(encoding="utf-8")
    return text.replace("{computed}\n", "\n".join(_table()) + "\n")


def computed(
    name: str, *, nodes: int, length: int, micro: int, attention: str, checkpointing: str
) -> tuple[StepTime, RunConfig, Plan, ModelInfo]:
    """A step of whole samples of `length` tokens, all with loss, on nodes of 8 GPUs."""
    words = [
        *("experiment=expert", "run.name=r", "model.path=m", "library.path=l"),
        *("cluster=slurm", f"cluster.gpu={GPU}", "cluster.device=cuda"),
        *(f"cluster.nodes={nodes}", "cluster.tasks_per_node=8"),
        *("engine=zero3", f"model.attention={attention}", "train.steps=100"),
        f"model.activation_checkpointing={checkpointing}",
        f"batch.sequence_length={length}",
        f"batch.micro_batch_size={micro}",
        f"batch.tokens={8 * nodes * length * micro}",
    ]
    config: RunConfig = compose(words)
    model, gpu = MODELS[name], find_gpu(GPU)
    assert gpu is not None
    plan = make_plan(config, model=model, library=_library(length), device="cuda")
    links = find_hardware(config.cluster, device="cuda")
    return step_time(config, plan=plan, model=model, gpu=gpu, links=links), config, plan, model


def _library(length: int) -> PackedDatasetInfo:
    rows = 10_000
    source = PackedSourceInfo(
        name="library",
        weight=1.0,
        samples=rows,
        sequences=rows,
        tokens=rows * length,
        loss_tokens=rows * length,
        held_out_samples=0,
        held_out_sequences=0,
    )
    return PackedDatasetInfo(path="l", key="k", sources=(source,))


def _table() -> Iterator[str]:
    found = [
        computed(name, nodes=n, length=t, micro=m, attention=a, checkpointing=c)
        for _, name, n, t, m, a, c in CASES
    ]
    yield f"| ms of one step | {' | '.join(case[0] for case in CASES)} |"
    yield f"| --- |{' --- |' * len(CASES)}"
    for field in fields(StepTime):
        cells = (f"{getattr(time, field.name) * 1e3:,.0f}" for time, _, _, _ in found)
        yield f"| {field.name.removesuffix('_s')} | {' | '.join(cells)} |"
    yield f"| **sum** | {' | '.join(f'{time.total_s * 1e3:,.0f}' for time, _, _, _ in found)} |"
    rates = [
        plan.tokens / plan.steps / plan.world_size / time.total_s for time, _, plan, _ in found
    ]
    yield f"| tokens/s per GPU | {' | '.join(f'{rate:,.0f}' for rate in rates)} |"
    gpu = find_gpu(GPU)
    assert gpu is not None
    shares = (
        6 * model.parameters * rate / gpu.tflops / 1e12
        for rate, (_, _, _, model) in zip(rates, found, strict=True)
    )
    yield f"| MFU (6 N) | {' | '.join(f'{share:.0%}' for share in shares)} |"


if __name__ == "__main__":
    sys.exit(main())
