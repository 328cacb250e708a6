"""The metrics of one training step, by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from ftdist.observe import metrics
from ftdist.observe.memory import allocator_gib
from ftdist.observe.throughput import StepTimes
from ftdist.plan.plan import Plan
from ftdist.train.dataloader import StepBatches
from ftdist.train.hardware import Hardware


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step as all ranks together measured it."""

    loss_sums: list[float]
    """Of each source, in nats, not weighted, without distilled tokens."""

    distilled_cross_entropy: list[float]
    """Of each source's distilled tokens."""

    distillation: list[float]
    """KL(teacher || model) of each source's distilled tokens."""

    non_finite_ranks: tuple[int, ...]
    """Ranks whose part of the loss is not finite."""

    grad_norm: float
    skipped: bool
    peak_gib: float
    """Of the rank with the highest peak memory."""

    wants_stop: bool
    """Whether any rank wants to stop."""

    waits_s: tuple[float, ...]
    """How long each rank waited for the others at the end of the step before; 0 if unknown."""

    all_written: bool
    """Whether a checkpoint is being saved and every rank has written its part."""


def non_finite_ranks(losses: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """The ranks of which a loss is not finite, from the losses of each kind, by rank."""
    ranks = enumerate(zip(*losses, strict=True))
    return tuple(rank for rank, of_rank in ranks if not all(map(isfinite, of_rank)))


def metrics_row(
    done: int,
    batch: StepBatches,
    report: StepReport,
    times: StepTimes,
    *,
    rate: float,
    plan: Plan,
    hardware: Hardware,
) -> dict[str, float]:
    """What was measured of a step.

    Args:
        done: optimizer steps done, including this one.
        batch: of the step.
        report: of all ranks.
        times: of the step.
        rate: its learning rate.
        plan: of the run.
        hardware: of the ranks.
    """
    loss_tokens = sum(batch.loss_tokens)
    return {
        metrics.LOSS.name: _weighted_sum(report, plan) / loss_tokens,
        **_source_losses(report, batch.loss_tokens, plan=plan),
        **_distillation(report, batch.distilled_tokens),
        metrics.LOSS_TOKENS.name: loss_tokens,
        metrics.TOKENS.name: batch.tokens,
        metrics.EPOCH.name: plan.epochs * done / plan.steps,
        metrics.SKIPPED.name: float(report.skipped),
        metrics.GRAD_NORM.name: report.grad_norm,
        metrics.LEARNING_RATE.name: rate,
        metrics.TOKENS_PER_S.name: times.tokens_per_s,
        **hardware.utilization(times.tokens_per_s, plan=plan),
        metrics.GOODPUT.name: times.goodput,
        metrics.STEP_S.name: times.step_s,
        metrics.DATA_S.name: times.data_s,
        **rank_lag(report.waits_s),
        metrics.ETA_S.name: times.eta_s,
        metrics.PEAK_GIB.name: report.peak_gib,
        **_allocator(plan),
    }


def _allocator(plan: Plan) -> dict[str, float]:
    """What can run out on this rank's GPU; empty on CPUs."""
    sizes = allocator_gib(plan.device)
    if sizes is None:
        return {}
    return {metrics.RESERVED_GIB.name: sizes[0], metrics.FREE_GIB.name: sizes[1]}


def rank_lag(waits_s: Sequence[float]) -> dict[str, float]:
    """The rank that waited least, for which the others waited, and how much less it did.

    Args:
        waits_s: of each rank in seconds, at the end of one step. Empty result for a single rank,
            and where nothing was measured.
    """
    if len(waits_s) < 2 or max(waits_s) == 0:
        return {}
    last = min(range(len(waits_s)), key=waits_s.__getitem__)
    lag_s = max(waits_s) - waits_s[last]
    return {metrics.RANK_LAG_S.name: lag_s, metrics.LAST_RANK.name: float(last)}


def _weighted_sum(report: StepReport, plan: Plan) -> float:
    """What the step minimised, times its loss tokens."""
    sources, weight = plan.library.sources, plan.library.context_distillation
    usual = sum(s.loss_weight * loss for s, loss in zip(sources, report.loss_sums, strict=True))
    cross_entropy, divergence = sum(report.distilled_cross_entropy), sum(report.distillation)
    return usual + (1 - weight) * cross_entropy + weight * divergence


def _source_losses(
    report: StepReport, loss_tokens: Sequence[int], *, plan: Plan
) -> dict[str, float]:
    """The mean loss of each source that the step drew from, where there are several."""
    sources = plan.library.sources
    if len(sources) == 1:
        return {}
    sums = map(sum, zip(report.loss_sums, report.distilled_cross_entropy, strict=True))
    return {
        metrics.source_loss(source.name): loss / tokens
        for source, loss, tokens in zip(sources, sums, loss_tokens, strict=True)
        if tokens
    }


def _distillation(report: StepReport, tokens: int) -> dict[str, float]:
    """The mean divergence from the teacher, where the step had distilled tokens."""
    return {metrics.DISTILLATION.name: sum(report.distillation) / tokens} if tokens else {}
