"""Submit runs to SLURM: make the run directory, submit its jobs and record them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from ftdist.config.saved_config import save_config
from ftdist.config.schema import RunConfig
from ftdist.config.sweep import Sweep
from ftdist.errors import ConfigError
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch import entrypoints
from ftdist_launch.attempts import record_request
from ftdist_launch.local.submit import environment, outside_any_job, private_umask
from ftdist_launch.lock import run_lock
from ftdist_launch.setup.code_snapshot import take_snapshot
from ftdist_launch.setup.preflight import check_run, raise_together, run_dir
from ftdist_launch.setup.run_setup import make_run_dir, resolve_paths, write_plan
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.own_files import require_own_files
from ftdist_launch.slurm.preflight import cluster_problems, with_resources
from ftdist_launch.slurm.rollback import roll_back_on_failure
from ftdist_launch.slurm.run_jobs import queued_jobs
from ftdist_launch.slurm.sbatch import JobRequest, Stage, executor_of, gpus_of, script
from ftdist_launch.sweeps.records import record_trial


def check(config: RunConfig, *, queue: Queue, log: LogFn) -> RunConfig:
    """Check a run against the cluster, and report all problems at once.

    Returns:
        The config with absolute paths and the GPUs that it will request.

    Raises:
        FtdistError: all problems.
    """
    if config.cluster.executor != "slurm":
        raise ConfigError(
            f"cluster.executor={config.cluster.executor} has no queue to submit to.",
            remedy="add cluster=slurm, or train on this machine with `ftdist train`.",
        )
    config = resolve_paths(config, log=log)
    check_run(config, executor_problems=cluster_problems(config, queue, new=True), new=True)
    config = with_resources(config, queue.partitions())
    queue.check_script(dry_run(config))
    return config


def submit(
    configs: Sequence[RunConfig],
    *,
    overrides: Sequence[Sequence[str]],
    sweep: Sweep | None = None,
    on_made: Callable[[RunDir], None] | None = None,
    queue: Queue,
) -> list[tuple[RunDir, str, str]]:
    """Make run directories and submit their jobs: preparation first, then training.

    Args:
        configs: checked, of one run or of the runs of a sweep, which become one array.
        overrides: of each run, as typed.
        sweep: that the runs belong to.
        on_made: called with each directory before it is a run.
        queue: of the cluster.

    Returns:
        Each run with its preparation job and its training job.

    Raises:
        FtdistError: SLURM rejected a job, or the disk is full; jobs submitted so far are cancelled,
            and the runs are removed unless SLURM may have accepted a job of them.
    """
    config = configs[0]
    if any(each.cluster != config.cluster for each in configs):
        raise ConfigError(
            "The runs of a sweep are one job array and cannot differ in keys of cluster.",
            remedy="sweep other keys, or submit the runs one by one.",
        )
    made: list[RunDir] = []
    with (
        private_umask(private=config.run.private),
        ExitStack() as locks,
        roll_back_on_failure(made, new=True, queue=queue),
    ):
        for number, (each, words) in enumerate(zip(configs, overrides, strict=True)):
            if sweep is not None:
                swept = sweep.runs[number].swept
                on_made = partial(record_trial, sweep=sweep.name, number=number + 1, swept=swept)
            run = make_run_dir(each, overrides=words, on_made=on_made)
            locks.enter_context(run_lock(run))
            made.append(run)
            record_request(run, by="submit", code=take_snapshot(run))
        # Each task of an array depends on its own preparation only.
        name, runs = None if sweep is None else sweep.name, tuple(made)
        prepare = submit_jobs("prepare", config, runs=runs, name=name)
        train = submit_jobs("train", config, runs=runs, after=prepare, name=name)
    return list(zip(runs, prepare, train, strict=True))


def submit_again(run: RunDir, config: RunConfig, plan: Plan | None, *, queue: Queue) -> list[str]:
    """Submit the training of an existing run with the current code, within `exclusive`.

    Args:
        run: to resume.
        config: the new config.
        plan: of that config; None: the library is not prepared yet.
        queue: of the cluster.

    Returns:
        The job numbers.

    Raises:
        FtdistError: SLURM rejected a job, or the disk is full.
    """
    raise_together(list(cluster_problems(config, queue, new=False)))
    config = with_resources(config, queue.partitions())
    queue.check_script(dry_run(config))
    with (
        private_umask(private=config.run.private),
        roll_back_on_failure([run], new=False, queue=queue),
    ):
        update_code(run, queue=queue)
        record_request(run, by="resume")
        after: tuple[str, ...] = ()
        if plan is None:
            save_config(config, run.config)
            after = submit_jobs("prepare", config, runs=(run,))
        else:
            write_plan(run, config=config, plan=plan)
        return [*after, *submit_jobs("train", config, runs=(run,), after=after)]


def submit_stage(
    stage: Stage, run: RunDir, config: RunConfig, *, after: Sequence[str], queue: Queue
) -> str:
    """Submit an export, comparison or merge that starts once the jobs in `after` succeeded.

    Returns:
        The job number.

    Raises:
        FtdistError: SLURM rejected the job, or the disk is full.
    """
    with private_umask(private=config.run.private):
        update_code(run, queue=queue)
        return submit_jobs(stage, config, runs=(run,), after=tuple(after))[0]


def dry_run(config: RunConfig) -> str:
    """The batch script of a run's training; nothing is submitted or written."""
    return script(job_request("train", config, runs=(run_dir(config),)))


def update_code(run: RunDir, *, queue: Queue) -> None:
    """Update the code snapshot of the run, unless queued jobs use it."""
    if not queued_jobs(run, queue=queue):
        take_snapshot(run)


def job_request(
    stage: Stage,
    config: RunConfig,
    *,
    runs: tuple[RunDir, ...],
    after: tuple[str, ...] = (),
    name: str | None = None,
) -> JobRequest:
    """The job, or the array of jobs, of one stage."""
    return JobRequest(
        stage=stage,
        runs=runs,
        cluster=config.cluster,
        private=config.run.private,
        gpus_per_node=gpus_of(stage, config.cluster, copies=config.eval.num_replicas),
        after=after,
        name=name or runs[0].name,
    )


def submit_jobs(
    stage: Stage,
    config: RunConfig,
    *,
    runs: tuple[RunDir, ...],
    after: tuple[str, ...] = (),
    name: str | None = None,
) -> tuple[str, ...]:
    """Submit one job or array, and record it in each of its runs."""
    request = job_request(stage, config, runs=runs, after=after, name=name)
    numbers = submit_request(request)
    for index, (run, number) in enumerate(zip(runs, numbers, strict=True)):
        run.append_event(
            "job_submitted",
            stage=stage,
            job=number,
            after=[after[index]] if after and len(runs) > 1 else list(after),
            logs=str(request.folder),
            partition=config.cluster.partition,
            nodes=config.cluster.nodes if request.is_training else 1,
        )
    return numbers


def submit_request(request: JobRequest) -> tuple[str, ...]:
    """Submit one job or array, whose ranks call the entry point of its stage.

    Returns:
        The job numbers.

    Raises:
        SlurmError: SLURM rejected it.
        ConfigError: another user may change a run, or a program that the config names.
    """
    from submitit.core.utils import FailedJobError

    require_own_files(request)
    executor, function = executor_of(request), getattr(entrypoints, request.stage)
    request.folder.mkdir(parents=True, exist_ok=True)
    roots = [str(run.root) for run in request.runs]
    try:
        with environment(outside_any_job()):
            if len(roots) == 1:
                submitted = [executor.submit(function, *roots)]
            else:
                write_whole(request.runs_file, "".join(f"{root}\n" for root in roots))
                submitted = executor.map_array(function, roots)
    except (FailedJobError, OSError) as error:
        raise SlurmError(
            f"SLURM rejected the job: {' '.join(str(error).split())[-500:]}",
            remedy="fix what it names, then run the command again; if a job of the run was "
            "accepted before, continue the run with `ftdist resume`.",
        ) from error
    return tuple(str(job.job_id) for job in submitted)
