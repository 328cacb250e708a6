"""Submitting to SLURM: a run directory, the jobs that work on it, and a record of them."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ftdist import __version__
from ftdist.config.compose import dump_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, FtdistError
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch import code_snapshot
from ftdist_launch import entrypoints as jobs
from ftdist_launch.code_snapshot import git_state
from ftdist_launch.local.submit import CHECKOUT, outside_any_job, private_umask
from ftdist_launch.lock import run_lock
from ftdist_launch.preflight import check_run, raise_together, run_dir
from ftdist_launch.run_setup import resolve_paths, write_plan
from ftdist_launch.slurm.client import Queue, QueuedJob, SlurmError
from ftdist_launch.slurm.preflight import cluster_problems, disk_problems, with_resources
from ftdist_launch.slurm.sbatch import JobRequest, Stage, executor_of, gpus_of, script

FUNCTIONS: dict[Stage, Callable[[str], None]] = {
    "prepare": jobs.prepare,
    "train": jobs.train,
    "export": jobs.export,
    "compare": jobs.compare,
    "blend": jobs.blend,
}


@dataclass(frozen=True, kw_only=True)
class SubmitRequest:
    """A run to be submitted: its config, checked, and what was typed."""

    config: RunConfig
    overrides: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SubmittedRuns:
    """Jobs that SLURM has taken."""

    runs: tuple[RunDir, ...]
    prepare: tuple[str, ...]
    train: tuple[str, ...]
    """The training job of each run."""


def check(config: RunConfig, *, queue: Queue, log: LogFn) -> RunConfig:
    """Refuse a run that cannot work on the cluster, all problems in one answer.

    Returns:
        The config with absolute folders, and with the GPUs that it will ask for.

    Raises:
        FtdistError: every problem found.
    """
    if config.cluster.executor != "slurm":
        raise ConfigError(
            f"cluster.executor={config.cluster.executor}: there is no queue to submit to.",
            remedy="add cluster=slurm, or run it on this machine with `ftdist train`.",
        )
    config = resolve_paths(config, log=log)

    def problems() -> Iterator[FtdistError]:
        yield from cluster_problems(config, queue)
        yield from disk_problems(config)

    check_run(config, executor_problems=problems, new=True)
    config = with_resources(config, queue.partitions())
    _refuse_what_slurm_would(config, queue=queue)
    return config


def _refuse_what_slurm_would(config: RunConfig, *, queue: Queue) -> None:
    refused = queue.refusal(script(_request("train", config), function=jobs.train))
    if refused is not None:
        raise SlurmError(
            f"SLURM would not take the job: {refused.rstrip('.')}.",
            remedy="change what it names: cluster.partition, account, qos, constraint, or sizes.",
        )


def submit(asked: Sequence[SubmitRequest], *, sweep: str | None, queue: Queue) -> SubmittedRuns:
    """Make run directories and submit their jobs: tokenising first, then training.

    Args:
        asked: one run, or those of a sweep, which become one array.
        sweep: name of the sweep.
        queue: of the cluster.

    Raises:
        FtdistError: SLURM or the disk did not take them; what was submitted is taken back.
    """
    config = asked[0].config
    if any(each.config.cluster != config.cluster for each in asked):
        raise ConfigError(
            "A sweep is one array of jobs that ask for the same, and keys of cluster differ.",
            remedy="sweep other keys, or submit these runs one by one.",
        )
    runs: tuple[RunDir, ...] = ()
    name = sweep or config.run.name
    prepared: list[str] = []
    with private_umask(private=config.run.private):
        try:
            for each in asked:
                runs = (*runs, _make_run_dir(each))
            # Of an array, each task waits for its own: one bad run leaves the others alone.
            prepared = _submit("prepare", config, runs=runs, name=name, sweep=sweep)
            after = tuple(prepared)
            train = _submit("train", config, runs=runs, name=name, after=after, sweep=sweep)
        except BaseException:
            with suppress(SlurmError):
                queue.cancel(prepared)
            for run in runs:  # nothing has run in them, and their names are free again
                shutil.rmtree(run.root, ignore_errors=True)
            raise
    return SubmittedRuns(runs=runs, prepare=tuple(prepared), train=tuple(train))


def submit_again(run: RunDir, config: RunConfig, plan: Plan | None, *, queue: Queue) -> list[str]:
    """Submit the training of a run that exists, with the code of now. Call it holding the run.

    Args:
        run: to go on with.
        config: to go on with.
        plan: that follows; None: the library is still to be tokenised.
        queue: of the cluster.

    Returns:
        The jobs' numbers.

    Raises:
        FtdistError: SLURM or the disk did not take them.
    """
    raise_together(list(cluster_problems(config, queue)))
    config = with_resources(config, queue.partitions())
    _refuse_what_slurm_would(config, queue=queue)
    before = run.config.read_text(encoding="utf-8")
    with private_umask(private=config.run.private):
        _renew_code(run, queue=queue)
        run.append_event("run_requested", by="resume", version=__version__, git=git_state(CHECKOUT))
        after: tuple[str, ...] = ()
        try:
            if plan is None:
                write_whole(run.config, dump_config(config))
                after = tuple(_submit("prepare", config, runs=(run,), name=run.name))
            else:
                write_plan(run, config=config, plan=plan)
            return [*after, *_submit("train", config, runs=(run,), name=run.name, after=after)]
        except BaseException as error:
            with suppress(SlurmError):
                queue.cancel(after)
            write_whole(run.config, before)
            run.append_event("submit_failed", cause=str(error).partition("\n")[0])
            raise


def submit_stage(
    stage: Stage, run: RunDir, config: RunConfig, *, after: Sequence[str], queue: Queue
) -> str:
    """Submit an export or a comparison, to start once the jobs in `after` have ended well.

    Returns:
        The job's number.

    Raises:
        FtdistError: SLURM or the disk did not take it.
    """
    refuse_second(stage, run, queue=queue)
    with private_umask(private=config.run.private):
        _renew_code(run, queue=queue)
        return _submit(stage, config, runs=(run,), name=run.name, after=tuple(after))[0]


def refuse_second(stage: Stage, run: RunDir, *, queue: Queue) -> None:
    """Refuse a job of a stage while another one of it waits or runs: both write the same files.

    Raises:
        ConfigError: there is one.
        SlurmError: SLURM does not answer.
    """
    at_work = waiting_for(run, stages=(stage,), queue=queue)
    if at_work:
        raise ConfigError(
            f"Job {at_work[0]} is to {stage} run {run.name} already.",
            remedy=f"wait for it (`ftdist status {run.cli_name}`), or end it: "
            f"`scancel {at_work[0]}`.",
        )


def refuse_queued(run: RunDir) -> None:
    """Refuse to work here on a run that a cluster works on, or will.

    Raises:
        ConfigError: a job of it waits or runs.
        SlurmError: SLURM does not answer.
    """
    if shutil.which("squeue") is None:
        return  # no login node: nothing is known of a queue here
    at_work = jobs_of(run, queue=Queue())
    if at_work:
        raise ConfigError(
            f"Run {run.name} is in the queue of a cluster, as job {', '.join(at_work)}.",
            remedy=f"wait for it (`ftdist status {run.cli_name}`), or end it with "
            f"`ftdist cancel {run.cli_name}` first.",
        )


def dry_run(config: RunConfig) -> str:
    """The batch script of a run's training. Nothing is submitted or written."""
    return script(_request("train", config), function=jobs.train)


def jobs_of(run: RunDir, *, queue: Queue) -> dict[str, tuple[Stage, QueuedJob]]:
    """The run's jobs that wait or run, oldest first, by their number.

    Raises:
        SlurmError: SLURM does not answer.
    """
    stages: dict[str, Stage] = {
        event["job"]: event["stage"]
        for event in run.read_events()
        if event.get("event") == "job_submitted"
    }
    states = queue.states(stages)
    return {job: (stage, states[job]) for job, stage in stages.items() if job in states}


def waiting_for(run: RunDir, *, stages: Sequence[Stage], queue: Queue) -> list[str]:
    """Jobs of some stages of a run that wait or run: what a later stage has to wait for.

    Raises:
        SlurmError: SLURM does not answer.
    """
    return [job for job, (stage, _) in jobs_of(run, queue=queue).items() if stage in stages]


@contextmanager
def exclusive(run: RunDir, *, queue: Queue, log: LogFn) -> Iterator[None]:
    """Hold a run while something is submitted for it that must be its only training.

    Raises:
        ConfigError: a job of it waits or runs, or somebody else is submitting.
        SlurmError: SLURM does not answer.
    """
    with run_lock(run, log=log):
        at_work = [job for job, (stage, _) in jobs_of(run, queue=queue).items() if stage == "train"]
        if at_work:
            raise ConfigError(
                f"Run {run.name} is in the queue already, as job {', '.join(at_work)}.",
                remedy=f"watch it with `ftdist status {run.cli_name}`, or end it with "
                f"`ftdist cancel {run.cli_name}` first.",
            )
        yield


def _make_run_dir(asked: SubmitRequest) -> RunDir:
    """Make a run directory with its code; the config comes last, and makes it a run."""
    config = asked.config
    run = run_dir(config)
    with private_umask(private=config.run.private):
        run.create(private=config.run.private)
        write_whole(run.overrides, "".join(f"{line}\n" for line in asked.overrides))
        digest = code_snapshot.take(run)
        write_whole(run.config, dump_config(config))
        run.append_event(
            "run_requested", by="submit", version=__version__, code=digest, git=git_state(CHECKOUT)
        )
    return run


def _renew_code(run: RunDir, *, queue: Queue) -> None:
    """Copy the code of now into the run, unless its jobs are at work with the copy it has."""
    if not jobs_of(run, queue=queue):
        code_snapshot.take(run)


def _request(
    stage: Stage,
    config: RunConfig,
    *,
    runs: tuple[RunDir, ...] = (),
    name: str = "",
    after: tuple[str, ...] = (),
) -> JobRequest:
    cluster = config.cluster
    runs = runs or (run_dir(config),)
    return JobRequest(
        stage=stage,
        runs=runs,
        cluster=cluster,
        private=config.run.private,
        gpus_per_node=gpus_of(stage, cluster, copies=config.eval.num_replicas),
        after=after,
        name=name or runs[0].name,
    )


def _submit(
    stage: Stage,
    config: RunConfig,
    *,
    runs: tuple[RunDir, ...],
    name: str,
    after: tuple[str, ...] = (),
    sweep: str | None = None,
) -> list[str]:
    """Hand one job or array to SLURM, and put it on record in each of its runs."""
    from submitit.core.utils import FailedJobError

    request = _request(stage, config, runs=runs, name=name, after=after)
    executor = executor_of(request)
    request.folder.mkdir(parents=True, exist_ok=True)
    if len(runs) > 1:
        write_whole(request.runs_file, "".join(f"{run.root}\n" for run in runs))
        executor.parameters.pop("map_count", None)  # map_array sets it
    try:
        with outside_any_job():
            function = FUNCTIONS[stage]
            if len(runs) == 1:
                taken = [executor.submit(function, str(runs[0].root))]
            else:
                taken = executor.map_array(function, [str(run.root) for run in runs])
    except (FailedJobError, OSError) as error:
        words = " ".join(str(error).split())[-500:]
        raise SlurmError(
            f"SLURM did not take the job: {words}",
            remedy="change what it names, then ask again; nothing of it is in the queue.",
        ) from error
    numbers = [str(job.job_id) for job in taken]
    for place, (run, number) in enumerate(zip(runs, numbers, strict=True)):
        run.append_event(
            "job_submitted",
            stage=stage,
            job=number,
            after=[after[place]] if after and len(runs) > 1 else list(after),
            logs=str(request.folder),
            partition=config.cluster.partition,
            nodes=config.cluster.nodes if request.is_training else 1,
            **({} if sweep is None else {"sweep": sweep}),
        )
    return numbers
