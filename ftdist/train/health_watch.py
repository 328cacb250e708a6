"""Watches the health of training: records skipped steps and spikes, and ends what has diverged."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any

from ftdist.config.schema.training import TrainConfig
from ftdist.dist.collectives import on_rank0
from ftdist.dist.world import World
from ftdist.errors import DivergedError
from ftdist.io.units import format_count
from ftdist.observe.metrics import GRAD_NORM, LOSS, SKIPPED, STEP, Row, read_metrics
from ftdist.rundir import RunDir
from ftdist.train.dataloader import BatchSource
from ftdist.train.rollbacks import left_out, read_rollbacks
from ftdist.train.step_health import LossHistory, Measured, Spike

MAX_SAMPLES = 64
"""Samples of each source that an event names."""

MAX_NAMED = 8
"""Samples of each source that an error names."""

Samples = Mapping[str, list[int]]


class HealthWatch:
    """The health of one attempt. Every rank has one, and all come to the same judgement.

    Args:
        run: where events are recorded, by rank 0.
        batches: say which samples a step has.
        config: what is too much.
        attempt: its number.
        world: this rank.
        note: prints a line for people, on rank 0.
    """

    def __init__(
        self,
        run: RunDir,
        batches: BatchSource,
        *,
        config: TrainConfig,
        attempt: int,
        world: World,
        note: Callable[[str], None],
    ) -> None:
        self._run, self._batches, self._config = run, batches, config
        self._attempt, self._world, self._note = attempt, world, note
        self._health = LossHistory(threshold=None)
        self._skipped: dict[int, Samples] = {}
        """Samples of the consecutive skipped steps up to now, by steps done."""

    def begin(self, first_step: int) -> None:
        """Judge the recorded steps that led to `first_step` steps. Collective."""
        self._health = LossHistory(
            **on_rank0(lambda: self._judge_record(first_step), world=self._world)
        )
        self._skipped.clear()

    @property
    def is_sound(self) -> bool:
        """Whether the newest step was finite and near those before."""
        return self._health.is_sound

    def after_step(
        self, done: int, row: Mapping[str, float], *, non_finite_ranks: Collection[int]
    ) -> Spike | None:
        """Judge a step and record what is wrong with it.

        Args:
            done: optimizer steps done.
            row: what was measured of the step.
            non_finite_ranks: whose loss was not finite.

        Returns:
            the spike that begins with the step, if one does.
        """
        step = _measured({**row, STEP.name: done})
        spike = self._health.update(step)
        if step.is_finite:
            self._skipped.clear()
        else:
            self._record_skipped(step, non_finite_ranks)
        if spike is not None:
            self._record_spike(spike)
        return spike

    @property
    def has_diverged(self) -> bool:
        """Whether too many consecutive steps were skipped."""
        return self._health.num_skipped >= self._config.max_skipped_steps

    def diverged_error(self) -> DivergedError:
        """The error of an attempt that has diverged."""
        count, last = self._health.num_skipped, max(self._skipped)
        steps = f"step {last}" if count == 1 else f"steps {last - count + 1} to {last}"
        return DivergedError(
            f"Loss or gradients were not finite for {format_count(count, 'consecutive step')} "
            f"({steps}), whose updates were skipped; samples of these steps, counted from 0 in "
            f"the order of reading: {_describe(self._skipped.values())}.",
            remedy="look at these samples (events.jsonl has them all: step_skipped); if they are "
            "sound, lower optim.peak_lr or raise optim.warmup_ratio, under a new run.name.",
        )

    def _judge_record(self, first_step: int) -> dict[str, Any]:
        is_watched = self._config.loss_spike != "none"
        health = LossHistory(threshold=self._config.loss_spike_threshold if is_watched else None)
        skipped = left_out(read_rollbacks(self._run))
        for row in read_metrics(self._run.metrics):
            if (
                row[STEP.name] <= first_step
                and row[STEP.name] - 1 not in skipped
                and LOSS.name in row
            ):
                health.update(_measured(row))
        return asdict(health)

    def _record_skipped(self, step: Measured, ranks: Collection[int]) -> None:
        samples = self._batches.samples(step.done - 1, ranks=ranks)
        self._skipped[step.done] = samples
        if self._world.is_rank0:
            self._run.record_event(
                "step_skipped",
                step=step.done,
                attempt=self._attempt,
                loss=step.loss,
                grad_norm=step.grad_norm,
                ranks=sorted(ranks),
                samples={name: numbers[:MAX_SAMPLES] for name, numbers in samples.items()},
            )

    def _record_spike(self, spike: Spike) -> None:
        if self._world.is_rank0:
            self._run.record_event("loss_spike", attempt=self._attempt, **_spike_fields(spike))
        self._note(
            f"Loss spike at step {spike.done}: {spike.loss:.4g}, and {spike.median:.4g} is the "
            f"median of the steps before; above {spike.limit:.4g} counts as a spike."
        )


def _spike_fields(spike: Spike) -> dict[str, float]:
    return {"step": spike.done, "loss": spike.loss, "median": spike.median, "limit": spike.limit}


def _measured(row: Row | Mapping[str, float]) -> Measured:
    return Measured(
        done=int(row[STEP.name]),
        loss=float(row[LOSS.name]),
        grad_norm=float(row[GRAD_NORM.name]),
        skipped=bool(row[SKIPPED.name]),
    )


def _describe(steps: Collection[Samples]) -> str:
    """The first samples of some steps, by source."""
    found: dict[str, set[int]] = {}
    for samples in steps:
        for name, numbers in samples.items():
            found.setdefault(name, set()).update(numbers)
    parts = []
    for name, all_numbers in found.items():
        named = ", ".join(map(str, sorted(all_numbers)[:MAX_NAMED]))
        more = len(all_numbers) - MAX_NAMED
        parts.append(f"{name} {named}" + (f" and {more} more" if more > 0 else ""))
    return "; ".join(parts)
