"""The table of all metrics, and the reader of `metrics.jsonl`. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.io.jsonl import read_json_lines

Row = dict[str, Any]
"""One step's measurements: `step`, `attempt`, `time` and names from `METRICS`."""


@dataclass(frozen=True)
class Metric:
    """The name, meaning and unit of a metric."""

    name: str
    """As in metrics.jsonl and in Weights & Biases."""

    meaning: str
    """What it measures, and over what."""

    unit: str
    """1 for a proportion or a count."""


STEP = Metric("step", "optimizer steps done, including this one", "steps")
ATTEMPT = Metric("attempt", "the attempt that wrote the row", "1")
TIME = Metric("time", "when the row was written, seconds since 1970", "s")

LOSS = Metric(
    "train/loss",
    "what the step minimises: weighted sum of token losses of the whole global batch, divided by "
    "its loss tokens; before the step",
    "nats",
)
SOURCE_LOSS = Metric(
    "train/loss/*",
    "of one source, * its name: mean over its loss tokens of the global batch, before the step; "
    "KL(base || model), not weighted, where the source follows the base model",
    "nats",
)
DISTILLATION = Metric(
    "train/loss/distillation",
    "KL(teacher || model), mean over the loss tokens that have a teacher, before the step; not "
    "weighted",
    "nats",
)
LOSS_TOKENS = Metric("train/loss_tokens", "loss tokens of the global batch", "tokens")
TOKENS = Metric("train/tokens", "loss and context tokens of the global batch, no padding", "tokens")
TOTAL_TOKENS = Metric(
    "trainer/tokens", "loss and context tokens of all steps up to this one, no padding", "tokens"
)
"""Second x-axis; the sum of `TOKENS`, so it has no column in metrics.jsonl."""
EPOCH = Metric("train/epoch", "passes over the library since the start of the run", "epochs")
SKIPPED = Metric(
    "train/skipped", "1 if the update was skipped because of non-finite gradients, else 0", "1"
)
GRAD_NORM = Metric("optim/grad_norm", "L2 norm of the whole gradient before clipping", "nats")
LEARNING_RATE = Metric("optim/learning_rate", "learning rate of this step", "1")
HELD_OUT_LOSS = Metric(
    "eval/held_out_loss", "mean over the loss tokens of the held-out part, after the step", "nats"
)
FACT_ACCURACY_RANKED = Metric(
    "eval/fact_accuracy_ranked",
    "share of the library's questions whose known answer is the most likely, after the step",
    "1",
)
FACT_RECALL_GREEDY = Metric(
    "eval/fact_recall_greedy",
    "share of the known answers' key facts whose tokens are each the most likely next one, given "
    "the question and the known answer up to there (teacher forcing)",
    "1",
)
ANSWER_LOGPROB_PER_BYTE = Metric(
    "eval/answer_logprob_per_byte",
    "mean log-likelihood of the known answers to the library's questions, a UTF-8 byte",
    "nats",
)
GENERAL_MC_ACCURACY = Metric(
    "eval/general_mc_accuracy",
    "share of the general questions whose right choice has the highest likelihood",
    "1",
)
GENERAL_NLL = Metric("eval/general_nll", "mean over the tokens of general texts", "nats")
GENERAL_NLL_DELTA = Metric("eval/general_nll_delta", "general loss minus the base model's", "nats")
TOKENS_PER_S = Metric(
    "throughput/tokens_per_s",
    "loss and context tokens, all ranks, over wall time with data waits",
    "tokens/s",
)
MFU = Metric(
    "throughput/mfu",
    "model FLOPs utilization: `throughput/tflops` over the bfloat16 peak in the GPU's data sheet; "
    "only on GPUs whose peak is known",
    "1",
)
TOKENS_PER_S_PER_RANK = Metric(
    "throughput/tokens_per_s_per_rank", "`throughput/tokens_per_s` over the ranks", "tokens/s"
)
TFLOPS = Metric(
    "throughput/tflops",
    "model TFLOP/s of a rank: 6 FLOPs per parameter and token, without attention scores",
    "TFLOP/s",
)
GEMM_UTILIZATION = Metric(
    "throughput/gemm_utilization",
    "`throughput/tflops` over the rate of matrix products, which is measured as an attempt starts",
    "1",
)
GOODPUT = Metric(
    "throughput/goodput",
    "share of the attempt's wall time, from the start of its processes, that steps took",
    "1",
)
STEP_S = Metric("time/step_s", "wall time of the step, without waiting for data", "s")
DATA_S = Metric("time/data_s", "wall time spent waiting for the step's data", "s")
ETA_S = Metric("time/eta_s", "estimated wall time to the end of the run", "s")
RANK_LAG_S = Metric(
    "time/rank_lag_s",
    "how much later the last rank than the first ended the step before, with several ranks",
    "s",
)
LAST_RANK = Metric("throughput/last_rank", "the rank that ended the step before last", "1")
EVALUATE_S = Metric("time/evaluate_s", "wall time of the held-out evaluation after the step", "s")
PROBE_EVAL_S = Metric("time/probe_eval_s", "wall time of the probe evaluation after the step", "s")
SAVE_S = Metric(
    "time/save_s", "how long checkpoints have held training up since the step before", "s"
)
SAVE_TOTAL_S = Metric(
    "time/save_total_s",
    "wall time of the checkpoint committed since the step before, from start to commit",
    "s",
)
PEAK_GIB = Metric(
    "memory/peak_gib",
    "peak so far of the rank with the highest: GPU allocations, or anonymous host memory",
    "GiB",
)
RESERVED_GIB = Metric(
    "memory/reserved_gib",
    "peak so far of what torch's allocator reserved on rank 0's GPU, unused blocks included",
    "GiB",
)
FREE_GIB = Metric("memory/free_gib", "memory that rank 0's GPU has free", "GiB")

CPU_PERCENT = Metric("cpu_percent", "utilisation of the node's cores, by all users", "%")
MEMORY_GIB = Metric("memory_gib", "memory in use on the node, without caches", "GiB")
RANKS_GIB = Metric(
    "ranks_gib", "resident memory of the node's ranks, including mapped files", "GiB"
)
GPU_PERCENT = Metric("gpu_percent", "GPU utilisation, mean over the GPUs", "%")
GPU_MIN_PERCENT = Metric("gpu_least_percent", "GPU utilisation of the least used GPU", "%")
GPU_MEMORY_GIB = Metric("gpu_memory_gib", "memory in use on the fullest GPU", "GiB")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(STEP, ATTEMPT, TIME),
        *(LOSS, SOURCE_LOSS, DISTILLATION, LOSS_TOKENS, TOKENS, EPOCH, SKIPPED),
        *(GRAD_NORM, LEARNING_RATE, HELD_OUT_LOSS),
        *(
            FACT_ACCURACY_RANKED,
            FACT_RECALL_GREEDY,
            ANSWER_LOGPROB_PER_BYTE,
            GENERAL_MC_ACCURACY,
            GENERAL_NLL,
            GENERAL_NLL_DELTA,
        ),
        *(
            *(TOKENS_PER_S, TOKENS_PER_S_PER_RANK, TFLOPS, MFU, GEMM_UTILIZATION, GOODPUT),
            STEP_S,
            DATA_S,
            ETA_S,
            RANK_LAG_S,
            LAST_RANK,
            EVALUATE_S,
            PROBE_EVAL_S,
            SAVE_S,
            SAVE_TOTAL_S,
            PEAK_GIB,
            RESERVED_GIB,
            FREE_GIB,
        ),
    )
}
"""All metrics by name; others are rejected."""

SYSTEM_METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(CPU_PERCENT, MEMORY_GIB, RANKS_GIB),
        *(GPU_PERCENT, GPU_MIN_PERCENT, GPU_MEMORY_GIB),
    )
}
"""Metrics of each node, in `attempts/N/system-HOST.jsonl`; in W&B `sys/HOST/NAME`."""


SECTIONS = tuple(
    dict.fromkeys([*(name.partition("/")[0] for name in METRICS if "/" in name), "sys"])
)
"""Sections of metrics: the first part of their names."""

LEARNING_SECTIONS = ("train", "optim", "eval")
"""Sections that describe what the model learns, not how fast."""


def source_loss(source: str) -> str:
    """Name of the loss metric of one source."""
    return SOURCE_LOSS.name.replace("*", source)


def metric_of(name: str) -> Metric | None:
    """The metric of this name; None if there is none."""
    is_source = name.startswith(SOURCE_LOSS.name.removesuffix("*"))
    return METRICS.get(name, SOURCE_LOSS if is_source else None)


UNITS: dict[str, str] = {
    TOTAL_TOKENS.name: TOTAL_TOKENS.unit,
    **{name: metric.unit for name, metric in METRICS.items()},
    **{f"sys/*/{name}": metric.unit for name, metric in SYSTEM_METRICS.items()},
}
"""The unit of every metric in W&B, by its name there."""


def read_metrics(path: Path) -> list[Row]:
    """The run's rows, each step once, in order; torn lines are skipped.

    The file is append-only. An attempt that resumes from a checkpoint older than the last row
    computes some steps again and writes their rows again. The last attempt wins, since it made the
    current parameters:

    - rows of earlier attempts after the first step of a later one are dropped, even those that the
      later one has not reached yet;
    - remaining rows of one step are merged, later attempts and lines over earlier ones (a held-out
      loss may be in its own line).

    Rewriting the file instead would break readers that follow it with `tail -f`, and a bug in one
    attempt could destroy the rows of another.
    """
    by_attempt: dict[int, dict[int, Row]] = {}
    for line in read_json_lines(path):
        if not isinstance(line, dict) or "step" not in line:
            continue
        rows = by_attempt.setdefault(line.get(ATTEMPT.name, 0), {})
        rows[line["step"]] = {**rows.get(line["step"], {}), **line}
    history: dict[int, Row] = {}
    for _, rows in sorted(by_attempt.items()):
        first = min(rows)
        history = {step: row for step, row in history.items() if step <= first}
        for step, row in rows.items():
            history[step] = {**history.get(step, {}), **row}
    return [row for _, row in sorted(history.items())]


def last_recorded_step(path: Path) -> int | None:
    """The highest step with a row of any attempt; None without rows."""
    steps = [
        row["step"] for row in read_json_lines(path) if isinstance(row, dict) and "step" in row
    ]
    return max(steps, default=None)
