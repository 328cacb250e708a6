"""What is measured, the most informative first; each phase runs in a process of its own."""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import kernels, runs
from benchmarks.gpu.inputs import make_inputs, make_model
from benchmarks.gpu.runs import Machine, PhaseError, Row
from benchmarks.peers import CHECKOUT
from ftdist.errors import ModelError
from ftdist.observe import metrics

Result = dict[str, Any]
WARM_UP_STEPS = 2
SHORT_STEPS = ("batch.tokens=512", "batch.sequence_length=256", "optim.peak_lr=1e-4")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One part of the check."""

    run: Callable[[Machine], Iterator[Result]]
    seconds: float
    """Its deadline on an H200."""

    what: str


def facts(machine: Machine) -> Iterator[Result]:
    """Versions, the GPU, and its rates: matrix products, copies; memory of an idle context."""
    names = ("torch", "transformers", "deepspeed", "ftdist", "numpy", "triton")
    yield {
        "what": "versions",
        "python": platform.python_version(),
        **{name: _version(name) for name in names},
    }
    from ftdist.dist.gemm import measure_gemm_tflops

    device = torch.device(machine.device)
    dtype = torch.bfloat16 if machine.device == "cuda" else torch.float32
    began = time.perf_counter()
    tflops = measure_gemm_tflops(device, dtype=dtype, seconds=1.0)
    yield {"what": "matrix products", "tflops": tflops, "start_s": time.perf_counter() - began}
    if machine.device == "cpu":
        return
    free, total = torch.cuda.mem_get_info()
    reserved = torch.cuda.memory_reserved()
    yield {
        "what": torch.cuda.get_device_name(),
        "total_gib": total / 2**30,
        "context_gib": (total - free - reserved) / 2**30,
        "capability": ".".join(map(str, torch.cuda.get_device_capability())),
        "cuda": torch.version.cuda,
    }
    yield {"what": "copies, GB/s", **_copies()}


def _copies() -> Result:
    size = 2**30
    on_gpu = torch.empty(size, dtype=torch.uint8, device="cuda")
    pageable = torch.empty(size, dtype=torch.uint8)
    pinned = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    other = torch.empty_like(on_gpu)
    found = {}
    for name, target in (("device", other), ("pinned", pinned), ("pageable", pageable)):
        target.copy_(on_gpu)
        torch.cuda.synchronize()
        began = time.perf_counter()
        target.copy_(on_gpu)
        torch.cuda.synchronize()
        found[name] = size / (time.perf_counter() - began) / 1e9
    return found


def attention(machine: Machine) -> Iterator[Result]:
    """Each attention kernel on rows of short samples and of one sample."""
    device = torch.device(machine.device)
    on_gpu = machine.device == "cuda"
    names = ["varlen", "by_sample", "sdpa"] if on_gpu else ["by_sample", "sdpa"]
    tokens = 8192 if on_gpu else 256
    for name in names:
        for sample in (tokens // 8, tokens):
            try:
                found = kernels.attention(name, device=device, tokens=tokens, sample=sample)
            except (ModelError, RuntimeError, TypeError, KeyError) as error:
                found = {"error_text": f"{type(error).__name__}: {error}"[:300]}
            yield {"what": name, **found}


def loss(machine: Machine) -> Iterator[Result]:
    """The chunked cross-entropy with the vocabulary of Llama 3."""
    device = torch.device(machine.device)
    vocabulary, width = (128_256, 4096) if machine.device == "cuda" else (1000, 64)
    for targets in (1638, 4096) if machine.device == "cuda" else (128,):
        yield {
            "what": "cross-entropy",
            **kernels.loss(device=device, vocabulary=vocabulary, width=width, targets=targets),
        }


def curve(machine: Machine) -> Iterator[Result]:
    """Losses in bfloat16 and float32 on the GPU against float32 on the CPU, the same steps."""
    inputs = make_inputs(machine.work)
    model = make_model(machine.work, _small(machine), inputs=inputs)
    library = inputs / "tiny" / "library" / "fernbot.jsonl"
    steps = [
        "train.steps=10",
        "batch.tokens=512",
        "batch.sequence_length=256",
        "optim.peak_lr=1e-4",
    ]

    def losses(name: str, *more: str) -> list[float]:
        words = runs.overrides(machine, name, model=model, library=library, more=[*steps, *more])
        rows = runs.train(machine, words, timeout_s=150)
        shutil.rmtree(runs.run_of(words).root)
        return [row[metrics.LOSS.name] for row in rows]

    exact = losses("curve-cpu", "cluster.device=cpu", "model.dtype=float32")
    for name, dtype in (("float32", "float32"), ("bfloat16", "bfloat16")):
        found = losses(f"curve-{name}", f"model.dtype={dtype}")
        difference = max(abs(a - b) / b for a, b in zip(found, exact, strict=True))
        yield {
            "what": f"{name} against float32 on the CPU",
            "largest_relative_difference": difference,
            "first": found[0],
            "last": found[-1],
            "last_on_cpu": exact[-1],
        }


def resume(machine: Machine) -> Iterator[Result]:
    """A run killed and resumed against the undisturbed one, twice; then exported and compared."""
    inputs = make_inputs(machine.work)
    model = make_model(machine.work, _small(machine), inputs=inputs)
    library = inputs / "tiny" / "library" / "fernbot.jsonl"
    more = [*SHORT_STEPS, "train.steps=8"]

    def words(name: str, *others: str) -> list[str]:
        return runs.overrides(machine, name, model=model, library=library, more=[*more, *others])

    whole = runs.train(machine, words("whole"), timeout_s=120)
    again = runs.train(machine, words("again"), timeout_s=120)
    yield {"what": "the same run twice", **_equal(whole, again)}
    killed = words("killed", "checkpoint.every_steps=3")
    runs.train_until(machine, killed, steps=5, timeout_s=120)
    run = runs.run_of(killed)
    runs.ftdist(machine, "resume", str(run.root), timeout_s=120)
    resumed = list(metrics.read_metrics(run.metrics))
    yield {"what": "killed after step 5 and resumed", **_equal(whole, resumed)}
    began = time.monotonic()
    runs.ftdist(machine, "export", str(run.root), timeout_s=120)
    yield {"what": "export", "seconds": time.monotonic() - began}
    began = time.monotonic()
    probes = inputs / "tiny" / "library" / "probes.jsonl"
    limits = (
        *(f"eval.probes={probes}", "eval.max_new_tokens=16", "eval.general_questions=none"),
        "eval.num_instructions=0",
    )
    runs.ftdist(machine, "compare", str(run.root), *limits, timeout_s=150)
    yield {"what": "compare", "seconds": time.monotonic() - began}


def _equal(one: list[Row], other: list[Row]) -> Result:
    losses = [[row[metrics.LOSS.name] for row in rows] for rows in (one, other)]
    pairs = list(zip(*losses, strict=True))
    return {
        "equal_steps": sum(a == b for a, b in pairs),
        "steps": len(pairs),
        "largest_relative_difference": max(abs(a - b) / a for a, b in pairs),
    }


def speed(machine: Machine) -> Iterator[Result]:
    """Tokens per second, MFU, and memory beside the plan's, by kernel and checkpointing."""
    inputs = make_inputs(machine.work)
    for size, attention_name, checkpointing in _speed_cases(machine):
        model = make_model(machine.work, size, inputs=inputs)
        length = 4096 if machine.device == "cuda" else 512
        more = [
            *(
                f"model.attention={attention_name}",
                f"model.activation_checkpointing={checkpointing}",
            ),
            *(f"batch.sequence_length={length}", f"batch.tokens={length * 2}", "train.steps=1000"),
        ]
        name = f"speed-{size.replace('.', '_')}-{attention_name}-{checkpointing}"
        words = runs.overrides(machine, name, model=model, library=inputs / "long", more=more)
        what = f"{size}, {attention_name}, checkpointing {checkpointing}"
        try:
            planned = runs.plan(machine, words)
            rows = runs.train_until(machine, words, steps=8, timeout_s=100)
        except PhaseError as error:
            yield {"what": what, "error_text": str(error)[-600:]}
            continue
        finally:
            shutil.rmtree(runs.run_of(words).root, ignore_errors=True)
        yield {"what": what, **_speed(rows, planned)}


def _speed_cases(machine: Machine) -> list[tuple[str, str, str]]:
    if machine.device == "cpu":
        return [("tiny", "by_sample", "none"), ("tiny", "sdpa", "full")]
    return [
        ("135M", "varlen", "none"),
        ("1.7B", "varlen", "none"),
        ("1.7B", "varlen", "full"),
        ("1.7B", "sdpa", "none"),
        ("1.7B", "by_sample", "none"),
    ]


def _speed(rows: list[Row], planned: dict[str, Any]) -> Result:
    measured = rows[WARM_UP_STEPS:]
    names = (metrics.TOKENS_PER_S, metrics.TFLOPS, metrics.MFU, metrics.GEMM_UTILIZATION)
    found = {
        metric.name.partition("/")[2]: sorted(row[metric.name] for row in measured)[
            len(measured) // 2
        ]
        for metric in names
        if metric.name in measured[0]
    }
    return {
        **found,
        "peak_gib": max(row[metrics.PEAK_GIB.name] for row in measured),
        "planned_gib": planned["device_gib"],
        "planned_tokens_per_s": planned["duration"]["tokens_per_s"],
    }


def save(machine: Machine) -> Iterator[Result]:
    """How long training is blocked by a checkpoint, and how long the whole takes."""
    inputs = make_inputs(machine.work)
    size = "1.7B" if machine.device == "cuda" else "tiny"
    model = make_model(machine.work, size, inputs=inputs)
    more = ["train.steps=1000", "checkpoint.every_steps=4", "batch.tokens=4096"]
    more.append("batch.sequence_length=2048")
    words = runs.overrides(machine, "save", model=model, library=inputs / "long", more=more)
    try:
        rows = runs.train_until(machine, words, steps=14, timeout_s=120)
    finally:
        shutil.rmtree(runs.run_of(words).root, ignore_errors=True)
    blocked = [row[metrics.SAVE_S.name] for row in rows if metrics.SAVE_S.name in row]
    steps = [row[metrics.STEP_S.name] for row in rows[WARM_UP_STEPS:]]
    yield {"what": "saves", "blocked_s": blocked, "step_s": sorted(steps)[len(steps) // 2]}


def bare(machine: Machine) -> Iterator[Result]:
    """A plain DeepSpeed loop on the same model and rows."""
    inputs = make_inputs(machine.work)
    size = "1.7B" if machine.device == "cuda" else "tiny"
    model = make_model(machine.work, size, inputs=inputs)
    length = 4096 if machine.device == "cuda" else 512
    command = [
        *(sys.executable, "-m", "benchmarks.gpu.bare_loop", str(model)),
        *(str(inputs / "long" / "rows.jsonl"), str(length), machine.device, str(machine.threads)),
    ]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise PhaseError(done.stderr[-1500:])
    yield {"what": f"{size}, plain DeepSpeed", **json.loads(done.stdout.splitlines()[-1])}


def tests(machine: Machine) -> Iterator[Result]:
    """The gpu tier of the tests."""
    del machine
    command = [sys.executable, "-m", "pytest", "-q", "tests/gpu", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, timeout=180, check=False
    )
    yield {"what": "tests/gpu", "exit_code": done.returncode, "end": done.stdout[-700:]}


def _small(machine: Machine) -> str:
    return "135M" if machine.device == "cuda" else "tiny"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


PHASES = {
    "facts": Phase(run=facts, seconds=40, what="versions and rates"),
    "attention": Phase(run=attention, seconds=40, what="attention kernels"),
    "loss": Phase(run=loss, seconds=30, what="cross-entropy"),
    "curve": Phase(run=curve, seconds=120, what="losses against float32 on the CPU"),
    "speed": Phase(run=speed, seconds=200, what="speed and memory"),
    "resume": Phase(run=resume, seconds=120, what="kill and resume, export, compare"),
    "bare": Phase(run=bare, seconds=60, what="a plain DeepSpeed loop"),
    "save": Phase(run=save, seconds=60, what="checkpoints"),
    "tests": Phase(run=tests, seconds=120, what="the gpu tier of the tests"),
}


def main() -> int:
    """One phase: `python -m benchmarks.gpu.phases NAME WORK DEVICE`; a JSON object a line."""
    name, work, device = sys.argv[1:4]
    threads = max(1, min(16, os.cpu_count() or 1))
    machine = Machine(work=Path(work), device=device, threads=threads)
    results = Path(work) / "results.jsonl"
    for result in PHASES[name].run(machine):
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"phase": name, **result}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
