"""The figures below the plot of a live view, one function per label."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ftdist_launch.node_metrics import NodeMetrics

from ftdist.cli.views.plot import sparkline
from ftdist.cli.views.run_snapshot import RunSnapshot
from ftdist.cli.views.state_text import age, describe_outcome, describe_stages, describe_usage
from ftdist.io.units import format_duration
from ftdist.observe.metric_history import running_mean
from ftdist.observe.metrics import (
    CPU_PERCENT,
    DATA_S,
    EVALUATE_S,
    GENERAL_NLL_DELTA,
    GPU_MIN_PERCENT,
    GPU_PERCENT,
    GRAD_NORM,
    HELD_OUT_LOSS,
    LAST_RANK,
    LEARNING_RATE,
    LOSS,
    MEMORY_GIB,
    PROBE_EVAL_S,
    RANK_LAG_S,
    SOURCE_LOSS,
    STEP,
    STEP_S,
    TOKENS_PER_S,
    Row,
)

SPARK_WIDTH = 20
MEAN_STEPS = 20
MAX_EVALUATIONS = 3
MAX_SOURCES = 4
STALE_STEPS = 5.0
"""A step that takes this many times its usual length is reported."""

MIN_STALE_S = 60.0

SLOW_STEPS = 50
SLOW_SHARE = 0.75
"""A rank is called the slowest if it is the last one in this share of the newest steps ..."""

SLOW_LAG = 0.02
"""... by this share of a step, in the median."""


def loss_facts(snapshot: RunSnapshot, unicode: bool) -> list[str]:  # noqa: ARG001 - one signature
    """Loss, mean, held-out loss and its best."""
    losses = [row[LOSS.name] for row in snapshot.rows if LOSS.name in row]
    if not losses:
        return []
    mean = running_mean(losses, steps=MEAN_STEPS)[-1]
    parts = [f"{losses[-1]:.4f} (mean {mean:.4f})"]
    held_out = [
        (row[HELD_OUT_LOSS.name], row) for row in snapshot.rows if HELD_OUT_LOSS.name in row
    ]
    if held_out:
        newest, best = held_out[-1], min(held_out, key=lambda each: each[0])
        text = f"held-out {newest[0]:.4f} at step {newest[1][STEP.name]}"
        if best[1] is not newest[1]:
            text += f" (best {best[0]:.4f} at step {best[1][STEP.name]})"
        parts.append(text)
    return [", ".join(parts)]


def source_facts(snapshot: RunSnapshot, unicode: bool) -> list[str]:  # noqa: ARG001 - as above
    """The mean loss of each source over the newest steps that drew from it."""
    prefix = SOURCE_LOSS.name.removesuffix("*")
    newest: dict[str, list[float]] = {}
    for row in snapshot.rows[-4 * MEAN_STEPS :]:
        for name in row:
            if name.startswith(prefix):
                newest.setdefault(name.removeprefix(prefix), []).append(row[name])
    means = {name: sum(v[-MEAN_STEPS:]) / len(v[-MEAN_STEPS:]) for name, v in newest.items()}
    shown = [f"{name} {mean:.3f}" for name, mean in sorted(means.items())[:MAX_SOURCES]]
    if len(means) > MAX_SOURCES:
        shown.append(f"{len(means) - MAX_SOURCES} more")
    return [", ".join(shown)] if shown else []


def speed_facts(snapshot: RunSnapshot, unicode: bool) -> list[str]:
    """Tokens per second, MFU, step time; learning rate and gradient norm; a step that hangs."""
    trained = [row for row in snapshot.rows if LOSS.name in row]
    if not trained:
        return []
    newest, status = trained[-1], snapshot.status
    speeds = [row[TOKENS_PER_S.name] for row in trained if TOKENS_PER_S.name in row]
    parts = [f"{speeds[-1]:,.0f} tokens/s"] if speeds else []
    if speeds and (spark := sparkline(speeds[-200:], width=SPARK_WIDTH, unicode=unicode)):
        parts[0] += f" {spark}"
    parts += [f"{status.mfu:.0%} MFU"] if status.mfu is not None else []
    if STEP_S.name in newest:
        seconds = newest[STEP_S.name] + newest.get(DATA_S.name, 0.0)
        parts.append(f"{seconds:.2f} s per step")
        if newest.get(DATA_S.name, 0.0) > seconds / 10:
            parts[-1] += f", {newest[DATA_S.name]:.2f} of them for data"
    lines = [", ".join(parts)] if parts else []
    rate = _learning_rate(trained, unicode=unicode)
    lines += [rate] if rate else []
    lines += _slowest_rank(snapshot, trained[-SLOW_STEPS:])
    lines += _stale(snapshot, newest)
    return lines


def _slowest_rank(snapshot: RunSnapshot, trained: Sequence[Row]) -> list[str]:
    """The rank for which the others wait, where it is the same one most of the time."""
    rows = [row for row in trained if LAST_RANK.name in row]
    if len(rows) < SLOW_STEPS // 2:
        return []
    rank, count = Counter(int(row[LAST_RANK.name]) for row in rows).most_common(1)[0]
    lag_s = median(row[RANK_LAG_S.name] for row in rows)
    step_s = median(row[STEP_S.name] for row in rows)
    if count < SLOW_SHARE * len(rows) or lag_s < SLOW_LAG * step_s:
        return []
    attempt = snapshot.status.attempts[-1]
    host = attempt.hosts[rank * len(attempt.hosts) // attempt.world_size]
    return [
        f"slowest rank: {rank} on {host}, last in {count} of {len(rows)} steps by {lag_s:.2f} s"
    ]


def _learning_rate(trained: Sequence[Row], *, unicode: bool) -> str:
    newest = trained[-1]
    parts = []
    if LEARNING_RATE.name in newest:
        rates = [row[LEARNING_RATE.name] for row in trained if LEARNING_RATE.name in row]
        spark = sparkline(rates, width=SPARK_WIDTH, unicode=unicode)
        parts.append(f"learning rate {rates[-1]:.2e} {spark}".rstrip())
    if GRAD_NORM.name in newest:
        parts.append(f"gradient norm {newest[GRAD_NORM.name]:.3f}")
    return ", ".join(parts)


def _stale(snapshot: RunSnapshot, newest: Row) -> list[str]:
    """An evaluation that goes on, or a step that takes unusually long."""
    status = snapshot.status
    if status.state != "running" or status.updated is None:
        return []
    since = snapshot.now - status.updated
    started = [e for e in snapshot.events if e.get("event") == "evaluation_started"]
    if started and started[-1]["step"] > status.step:
        for_s = format_duration(snapshot.now - started[-1]["time"])
        expected = started[-1].get("expected_s")
        usual = "" if expected is None else f", of about {format_duration(expected)}"
        return [f"evaluating after step {started[-1]['step']} for {for_s}{usual}"]
    usual_s = newest.get(STEP_S.name, 0.0)
    if since > max(MIN_STALE_S, STALE_STEPS * usual_s):
        return [f"no new step for {format_duration(since)}: see `ftdist logs {snapshot.cli_name}`"]
    return []


def resource_facts(snapshot: RunSnapshot, unicode: bool) -> list[str]:  # noqa: ARG001 - as above
    """Memory of the ranks and use of the nodes; what was used so far."""
    status = snapshot.status
    parts = [] if status.peak_gib is None else [f"peak {status.peak_gib:.2f} GiB per rank"]
    usage = describe_usage(status)
    parts += [usage] if usage else []
    lines = [", ".join(parts)] if parts else []
    if status.state == "running" and snapshot.nodes:
        lines.append(describe_nodes(snapshot.nodes))
    return lines


def describe_nodes(uses: Sequence[NodeMetrics]) -> str:
    """How busy the nodes are: the only one, or the least busy of several and the others' range."""
    least = min(uses, key=lambda use: use.busy_percent)
    if len(uses) == 1:
        return f"{least.host}: {_describe_node(least)}"
    others = [use.busy_percent for use in uses if use is not least]
    span = f"{min(others):.0f} to {max(others):.0f}" if len(others) > 1 else f"{others[0]:.0f}"
    return f"least busy node: {least.host}, {_describe_node(least)}; others {span} %"


def _describe_node(use: NodeMetrics) -> str:
    values = use.values
    parts = []
    if GPU_PERCENT.name in values:
        least = values.get(GPU_MIN_PERCENT.name)
        text = f"GPU {values[GPU_PERCENT.name]:.0f} %"
        parts.append(text if least is None else f"{text} (least {least:.0f} %)")
    if CPU_PERCENT.name in values:
        parts.append(f"CPU {values[CPU_PERCENT.name]:.0f} %")
    if MEMORY_GIB.name in values:
        parts.append(f"{values[MEMORY_GIB.name]:.1f} GiB of host memory")
    return ", ".join(parts)


def evaluation_facts(snapshot: RunSnapshot, unicode: bool) -> list[str]:  # noqa: ARG001 - as above
    """The newest evaluations in training against the base model; then the comparison's scores."""
    evals, scores = snapshot.evals, snapshot.status.scores
    losses = {
        row[STEP.name]: row[GENERAL_NLL_DELTA.name]
        for row in snapshot.rows
        if GENERAL_NLL_DELTA.name in row
    }
    lines = [f"base model: {_evaluation(evals[0], {})}{_last_took(snapshot)}"] if evals else []
    lines += [
        f"step {row[STEP.name]}: {_evaluation(row, losses)}" for row in evals[1:][-MAX_EVALUATIONS:]
    ]
    shown = ("fact_accuracy", "general_mc_accuracy", "general_accuracy", "leak_rate")
    parts = [f"{name} {scores[name]:.2f}" for name in shown if name in scores]
    return [*lines, *([f"comparison: {', '.join(parts)}"] if parts else [])]


def _evaluation(row: Mapping[str, Any], losses: Mapping[int, float]) -> str:
    parts = [f"facts {_share(row, 'ranked')}"]
    parts += [f"general {_share(row, 'general')}"] if row["general"] else []
    if row[STEP.name] in losses:
        parts.append(f"general loss {losses[row[STEP.name]]:+.3f} nats")
    return ", ".join(parts)


def _share(row: Mapping[str, Any], name: str) -> str:
    values = row[name]
    return f"{sum(values)}/{len(values)}"


def _last_took(snapshot: RunSnapshot) -> str:
    seconds = [
        row.get(EVALUATE_S.name, 0.0) + row[PROBE_EVAL_S.name]
        for row in snapshot.rows
        if PROBE_EVAL_S.name in row
    ]
    return f"; an evaluation takes {format_duration(seconds[-1])}" if seconds else ""


def stage_facts(snapshot: RunSnapshot, unicode: bool) -> list[str]:  # noqa: ARG001 - as above
    """The stages of `ftdist expert`; empty for other runs."""
    return [describe_stages(snapshot.status)] if snapshot.status.stages else []


def attempt_facts(snapshot: RunSnapshot, unicode: bool) -> list[str]:  # noqa: ARG001 - as above
    """How earlier attempts ended; empty for the first one."""
    status = snapshot.status
    if len(status.attempts) < 2:
        return []
    ends = Counter(describe_outcome(each, status=status) for each in status.attempts)
    started = age(status.attempts[-1].started, now=snapshot.now)
    counts = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    return [f"{counts}; the newest started {started} ago"]
