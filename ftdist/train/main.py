"""Training on one rank: builds everything once from a run directory, then runs the loop."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.dist.device import device_name
from ftdist.dist.phases import PhaseTracker, SharedProgress
from ftdist.dist.timeouts import set_collective_timeout
from ftdist.dist.world import Rendezvous, World
from ftdist.errors import RequeueError
from ftdist.evaluation.best_checkpoint import BestCheckpointTracker
from ftdist.io.progress import no_log
from ftdist.io.progress_line import ProgressLine
from ftdist.io.retry import wait_for
from ftdist.io.units import GIB
from ftdist.observe.console import print_line
from ftdist.observe.loggers import MetricLogger, open_metric_logger
from ftdist.plan.duration import estimate_duration
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import AttemptGuard
from ftdist.train.checked_engine import build_checked_engine
from ftdist.train.checkpointing import Checkpointer
from ftdist.train.dataloader import BatchSource
from ftdist.train.evaluator import Evaluator
from ftdist.train.hardware import Hardware, measure_hardware
from ftdist.train.joined_ranks import joined_ranks
from ftdist.train.loop import Instruments, Loop, LoopEnd
from ftdist.train.model_checks import describe_frozen
from ftdist.train.monitors import build_monitors
from ftdist.train.plan_of_run import read_plan, refuse_other_world_size
from ftdist.train.probe_eval import ProbeEval
from ftdist.train.profiler import StepProfiler
from ftdist.train.verify_inputs import verify_inputs
from ftdist.zero.engine import Zero3Engine

REFERENCE_TOKENS = 32
"""Length of the row whose logits an export must reproduce."""


def main(
    run_dir: Path,
    world: World,
    *,
    attempt: int,
    rendezvous: Rendezvous | None = None,
    progress: SharedProgress | None = None,
) -> int:
    """Train one attempt of a run, from its newest checkpoint to its end. Collective.

    The ranks meet at `rendezvous`, by default at a file of the attempt, and report their progress
    to `progress`, if somebody watches. Returns 0 if the run is complete, 75 if it was stopped and
    should be started again.
    """
    run = RunDir(run_dir)
    config = load_config(wait_for(run.config))
    plan = read_plan(run)
    phases = PhaseTracker(config.cluster, progress, checkpoint_gib=plan.checkpoint_gib)
    refuse_other_world_size(plan, world, name=run.name)
    world = replace(world, sequence_parallel_size=plan.sequence_parallel_size)
    with joined_ranks(
        run,
        config,
        world,
        device=plan.device,
        attempt=attempt,
        rendezvous=rendezvous,
        timeout_s=phases.load_collectives_s,
    ) as stop:
        phases.enter("load")
        end = _train(
            _Attempt(
                run=run,
                config=config,
                plan=plan,
                world=world,
                number=attempt,
                guard=AttemptGuard(run, attempt=attempt, stop=stop, world=world),
                phases=phases,
            )
        )
        if world.is_rank0:
            run.record_event(
                f"training_{end.reason}", step=end.step, attempt=attempt, signal=stop.signal_name
            )
    return 0 if end.reason == "complete" else RequeueError.exit_code


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """What one attempt trains, on one rank."""

    run: RunDir
    config: RunConfig
    plan: Plan
    world: World
    number: int
    guard: AttemptGuard
    phases: PhaseTracker


def _train(attempt: _Attempt) -> LoopEnd:
    """Build everything, continue from the newest checkpoint, and train. Collective."""
    run, config, plan, phases = attempt.run, attempt.config, attempt.plan, attempt.phases
    verify_inputs(run, config, plan, world=attempt.world)
    engine, summary = build_checked_engine(config, plan, world=attempt.world)
    phases.limit_collectives(set_collective_timeout)  # DeepSpeed's own groups too
    batches = _build_batches(config, plan, engine)
    best = _build_tracker(config)
    checkpointer = Checkpointer(
        run,
        engine,
        config=config,
        plan=plan,
        reference_row=batches.reference_row(max_tokens=REFERENCE_TOKENS),
        best=best,
        guard=attempt.guard,
        on_progress=phases.progress,
    )
    log = print_line if attempt.world.is_rank0 else no_log
    progress_line = ProgressLine(log, on_report=phases.progress)
    with phases.phase("evaluate"):
        probe_eval = _build_probe_eval(attempt, engine, best=best, progress_line=progress_line)
    first_step = _restore(checkpointer, probe_eval)
    phases.progress()
    hardware = measure_hardware(engine.device, dtype=engine.dtype)
    notes = (*checkpointer.damage, summary, hardware.describe())
    with (
        _open_logger(attempt, engine, first_step=first_step, notes=notes) as logger,
        checkpointer,
    ):
        loop = _build_loop(
            attempt,
            engine,
            batches,
            checkpointer=checkpointer,
            probe_eval=probe_eval,
            progress_line=progress_line,
            hardware=hardware,
            logger=logger,
        )
        end = loop.run(first_step=first_step)
        phases.enter("save")  # logs and threads end
        if logger is not None and end.reason == "stopped":
            logger.close("requeue")
    return end


def _build_loop(
    attempt: _Attempt,
    engine: Zero3Engine,
    batches: BatchSource,
    *,
    checkpointer: Checkpointer,
    probe_eval: ProbeEval | None,
    progress_line: ProgressLine,
    hardware: Hardware,
    logger: MetricLogger | None,
) -> Loop:
    config, plan = attempt.config, attempt.plan
    evaluator = Evaluator(
        engine,
        batches,
        config=config.eval,
        plan=plan,
        probe_eval=probe_eval,
        logger=logger,
        progress_line=progress_line,
    )
    monitors = build_monitors(
        config,
        plan,
        engine,
        batches,
        checkpointer=checkpointer,
        restore=lambda: _restore(checkpointer, probe_eval),
        guard=attempt.guard,
        note=no_log if logger is None else logger.note,
    )
    return Loop(
        engine,
        batches,
        config=config,
        plan=plan,
        checkpointer=checkpointer,
        evaluator=evaluator,
        monitors=monitors,
        instruments=_build_instruments(attempt, engine, hardware=hardware, logger=logger),
    )


def _build_batches(config: RunConfig, plan: Plan, engine: Zero3Engine) -> BatchSource:
    return BatchSource(
        plan,
        seed=config.run.seed,
        world=engine.world,
        device=engine.device,
        max_cached_tokens=_max_cached_tokens(config, plan, engine),
    )


def _max_cached_tokens(config: RunConfig, plan: Plan, engine: Zero3Engine) -> int:
    """Loss tokens whose hidden states of the reference model a rank keeps at most."""
    if not plan.reference_cache_gib:
        return 0
    return int(config.engine.reference_cache_gib * GIB) // engine.reference_state_bytes


def _build_tracker(config: RunConfig) -> BestCheckpointTracker:
    return BestCheckpointTracker(
        max_loss_increase=config.merge.max_loss_increase,
        patience=config.early_stopping.patience,
    )


def _build_probe_eval(
    attempt: _Attempt,
    engine: Zero3Engine,
    *,
    best: BestCheckpointTracker,
    progress_line: ProgressLine,
) -> ProbeEval | None:
    """The evaluations in training, if there are any; the engine must still hold the base model."""
    if not attempt.config.eval.probes_every_steps:
        return None
    probe_eval = ProbeEval(
        attempt.run,
        attempt.config,
        engine,
        best=best,
        attempt=attempt.number,
        progress_line=progress_line,
    )
    probe_eval.evaluate_base()
    return probe_eval


def _restore(checkpointer: Checkpointer, probe_eval: ProbeEval | None) -> int:
    """Load the newest checkpoint and the evaluations up to it. Collective; returns its step."""
    first_step = checkpointer.restore()
    if probe_eval is not None:
        probe_eval.resume_from(first_step, best=checkpointer.best_step())
    return first_step


def _build_instruments(
    attempt: _Attempt, engine: Zero3Engine, *, hardware: Hardware, logger: MetricLogger | None
) -> Instruments:
    profiler = StepProfiler(
        attempt.config.train.profile_steps if engine.world.is_rank0 else None,
        attempt.run.attempt(attempt.number) / "profile.json.gz",
        device=engine.device,
        note=print_line,
    )
    return Instruments(
        logger=logger,
        hardware=hardware,
        profiler=profiler,
        phases=attempt.phases,
        startup_s=time.time() - psutil.Process().create_time(),
    )


def _open_logger(
    attempt: _Attempt, engine: Zero3Engine, *, first_step: int, notes: Sequence[str]
) -> AbstractContextManager[MetricLogger | None]:
    """On rank 0, the attempt's logger, which has noted its start; None on the others."""
    if not engine.world.is_rank0:
        return nullcontext()
    run, config, plan = attempt.run, attempt.config, attempt.plan
    logger = open_metric_logger(
        run,
        config,
        plan,
        attempt=attempt.number,
        first_step=first_step,
        # As `ftdist cancel` does it: the guard of this attempt and the launcher read the event.
        on_stop=lambda: run.record_event("cancel_requested", by="wandb", now=False),
    )
    expected = estimate_duration(config, plan=plan, gpu=device_name(engine.device))
    run.record_event(
        "training_started",
        step=first_step,
        attempt=attempt.number,
        head=engine.head,
        trained_parameters=engine.trained_parameters,
        expected_tokens_per_s=expected.tokens_per_s,
    )
    frozen = [describe_frozen(engine)] if engine.frozen else []
    speed = f"Expected: {expected.tokens_per_s:,.0f} tokens/s ({expected.basis})"
    for note in (*frozen, *notes, speed):
        logger.note(note)
    return logger
