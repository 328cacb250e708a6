"""The composition root: a run directory in, everything built once, an exit code out."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import torch

from ftdist.checkpoint.state import Identity
from ftdist.config.compose import load_config
from ftdist.config.schema import RunConfig
from ftdist.data.packed_dataset import PackedLibrary
from ftdist.dist.collectives import max_over_ranks
from ftdist.dist.device import Dtype, choose_device, torch_device, use_device
from ftdist.dist.preemption import StopRequest
from ftdist.dist.world import Rendezvous, World, process_group
from ftdist.errors import ConfigError, RequeueError, StorageError
from ftdist.observe.events import tell
from ftdist.observe.loggers import MetricLogger, open_metric_logger
from ftdist.observe.memory import peak_memory_gib
from ftdist.observe.system_metrics import monitor_node
from ftdist.plan.plan import Plan, choose_dtype, read_model_facts
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import Fence
from ftdist.train.checkpointing import Checkpoints
from ftdist.train.dataloader import BatchSource
from ftdist.train.loop import Loop
from ftdist.train.model_checks import (
    HeadCheck,
    check_model,
    frozen_told,
    refuse_base_without_chunks,
)
from ftdist.train.probe_eval import Measures
from ftdist.zero.engine import Zero3Engine

WITNESS_TOKENS = 32
"""Length of the row by which an export is compared with the engine."""


def run(run_dir: Path, world: World, *, attempt: int, rendezvous: Rendezvous | None = None) -> int:
    """Train one attempt of a run, from its newest checkpoint to its end. Collective.

    Args:
        run_dir: holds config.yaml and plan.json.
        world: this rank.
        attempt: number of this start.
        rendezvous: where the ranks meet; None: at a file of the attempt.

    Returns:
        0 where the run is complete, 75 where it was stopped and asks to be started again.

    Raises:
        FtdistError: whatever a user can mend.
    """
    run = RunDir(run_dir)
    config = load_config(run.config)
    plan = Plan.from_json(run.plan.read_text())
    if plan.world_size != world.size:
        raise ConfigError(
            f"The plan is for {plan.world_size} ranks, but {world.size} were started.",
            remedy=f"start them with `ftdist resume {run.name}`, which plans anew.",
        )
    quiet_libraries()
    torch.set_num_threads(config.cluster.threads)
    with (
        StopRequest.listening() as stop,
        process_group(
            world,
            rendezvous=rendezvous or run.attempt(attempt) / "rendezvous",
            device=choose_device(config.cluster.device),
            timeout_s=config.cluster.collective_timeout_s,
            init_timeout_s=config.cluster.init_timeout_s,
        ),
        monitor_node(
            run,
            world,
            attempt=attempt,
            every_s=config.tracking.system_every_s,
            gpus=choose_device(config.cluster.device) == "cuda",
        ),
    ):
        return _train(run, config, plan, world=world, attempt=attempt, stop=stop)


def _train(
    run: RunDir,
    config: RunConfig,
    plan: Plan,
    *,
    world: World,
    attempt: int,
    stop: StopRequest,
) -> int:
    device = choose_device(config.cluster.device)
    dtype = choose_dtype(config.model.dtype, device=device)
    use_device(torch_device(device, local_rank=world.local_rank))

    peak_memory_gib(device)  # counts from its first call on
    library = PackedLibrary.open(Path(plan.library.path))
    engine = Zero3Engine.build(config, plan, world=world, device=device, dtype=dtype)
    loaded_gib = peak_memory_gib(device)
    check = _checked(engine, config, plan, dtype=dtype)
    fence = Fence(run, attempt=attempt, world=world)
    checkpoints = Checkpoints(
        run,
        engine,
        keep=config.checkpoint.keep_latest,
        identity=Identity(library_key=plan.library.key, seed=config.run.seed, dtype=dtype),
        attempt=attempt,
        fence=fence,
        world=world,
    )

    def stop_agreed() -> bool:
        return max_over_ranks(float(stop.is_set or fence.wants_stop)) > 0

    measures = None
    if config.eval.probes_every_steps:
        measures = Measures(
            run, config, engine, attempt=attempt, stop_agreed=stop_agreed, world=world
        )
        measures.measure_base()
    first_step = checkpoints.restore()
    if measures is not None:
        measures.go_on_from(first_step, best=checkpoints.best_step())
    batches = BatchSource(library, plan, seed=config.run.seed, world=world, device=engine.device)
    witness = batches.witness(most_tokens=WITNESS_TOKENS)
    sinks = _open_sinks(run, config, plan, attempt=attempt, first_step=first_step, world=world)
    with _failing(sinks):
        if sinks is not None:
            place = f"{world.size} ranks on {device} in {dtype}"
            size = f"{loaded_gib:.2f} GiB a rank after loading"
            notes = (*checkpoints.damage, f"{place}; {check.told}; {size}")
            _tell_start(run, sinks, engine, check, step=first_step, attempt=attempt, notes=notes)
        loop = Loop(
            engine,
            batches,
            config=config,
            plan=plan,
            save=lambda step, best: checkpoints.save(step, witness=witness, is_best=best),
            measures=measures,
            sinks=sinks,
            stop_agreed=stop_agreed,
        )
        end = loop.run(first_step=first_step)
    _close(sinks, "finished" if end.reason == "complete" else "requeue")
    if world.is_rank0:
        tell(run, f"training_{end.reason}", step=end.step, attempt=attempt, signal=stop.signal_name)
    return 0 if end.reason == "complete" else RequeueError.exit_code


def _checked(engine: Zero3Engine, config: RunConfig, plan: Plan, *, dtype: Dtype) -> HeadCheck:
    """What was found of the model before its first step, once it may be trained."""
    check = check_model(
        engine,
        vocab_size=read_model_facts(Path(config.model.path)).vocab_size,
        dtype=dtype,
        wanted_head=config.model.head,
    )
    refuse_base_without_chunks(check, plan)
    return check


def _tell_start(
    run: RunDir,
    sinks: MetricLogger,
    engine: Zero3Engine,
    check: HeadCheck,
    *,
    step: int,
    attempt: int,
    notes: Sequence[str],
) -> None:
    """What people and the record should know of an attempt that begins. On the lead."""
    tell(
        run,
        "training_started",
        step=step,
        attempt=attempt,
        head=check.head,
        trained_parameters=engine.trained_parameters,
    )
    if engine.frozen:
        sinks.note(frozen_told(engine))
    for sentence in notes:
        sinks.note(sentence)


def _open_sinks(
    run: RunDir,
    config: RunConfig,
    plan: Plan,
    *,
    attempt: int,
    first_step: int,
    world: World,
) -> MetricLogger | None:
    if not world.is_rank0:
        return None
    return open_metric_logger(run, config, plan, attempt=attempt, first_step=first_step)


@contextmanager
def _failing(sinks: MetricLogger | None) -> Iterator[None]:
    """Whatever ends training early is told to the sinks as a failure."""
    try:
        yield
    except BaseException:
        with suppress(StorageError):  # the first error is the one to show
            _close(sinks, "failed")
        raise


def _close(sinks: MetricLogger | None, outcome: Literal["finished", "requeue", "failed"]) -> None:
    if sinks is not None:
        sinks.close(outcome)


def quiet_libraries() -> None:
    """Keep the logs of other packages out of the run's own, below errors."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|deepspeed)\..*")
    for name in ("DeepSpeed", "transformers", "torch.distributed"):
        logging.getLogger(name).setLevel(logging.ERROR)
