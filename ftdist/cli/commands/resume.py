"""`ftdist resume`: resume a run, on any number of ranks."""

from collections.abc import Sequence

from ftdist_launch.attempts import newest_step
from ftdist_launch.local.supervisor import refuse_all_damaged
from ftdist_launch.lock import run_lock
from ftdist_launch.setup.resume import MAY_CHANGE, read_config, replan
from ftdist_launch.setup.run_setup import read_plan, write_plan
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import refuse_second_job
from ftdist_launch.slurm.submit import submit_again

from ftdist.cli.common import RunParser, log, print_result
from ftdist.cli.exit_messages import report_training
from ftdist.cli.progress import supervise
from ftdist.config.saved_config import override_config
from ftdist.config.schema import RunConfig
from ftdist.io.units import format_count
from ftdist.rundir import RunDir

DESCRIPTION = """\
Resume a run from its newest valid checkpoint; the result is the same as without the interruption.
Keys of cluster, tracking, checkpoint, export, early_stopping and in-training eval, and
batch.allow_uneven may change; other keys would make it a different run."""


def main(arguments: Sequence[str]) -> int:
    """Resume a run.

    Raises:
        FtdistError: there is no such run, or it cannot be resumed like this.
    """
    parsed = RunParser("resume", description=DESCRIPTION).parse_run(arguments)
    run, overrides = parsed.run, parsed.overrides
    config = override_config(read_config(run), overrides, allowed=MAY_CHANGE)
    refuse_all_damaged(run)
    on_cluster = config.cluster.executor == "slurm"
    if run.plan.is_file() or not on_cluster:
        steps, newest = read_plan(run).steps, newest_step(run)
        if newest is not None and newest >= steps:
            print_result(f"Run {run.name} is complete: all {format_count(steps, 'step')} are done.")
            return 0
    if on_cluster:
        return _submit(run, config, overrides)
    config, plan = replan(run, config, log=log)
    supervisor = supervise(run, config, steps=steps)
    with supervisor.exclusive():
        _record_overrides(run, overrides)
        write_plan(run, config=config, plan=plan)
        if newest is None:
            log(f"Run {run.name} has no checkpoint yet: it starts from the beginning.")
        finished = supervisor.train(plan, requested_by="resume")
    return report_training(finished, run=run)


def _submit(run: RunDir, config: RunConfig, overrides: Sequence[str]) -> int:
    """Submit the run again."""
    queue, plan = Queue(), None
    with run_lock(run):
        refuse_second_job("train", run, queue=queue)
        if run.plan.is_file():
            config, plan = replan(run, config, log=log)
        _record_overrides(run, overrides)
        jobs = submit_again(run, config, plan, queue=queue)
    print_result(
        f"Run {run.name}: job {', '.join(jobs)}. Watch it: `ftdist status {run.cli_name}`."
    )
    return 0


def _record_overrides(run: RunDir, overrides: Sequence[str]) -> None:
    if overrides:
        with run.overrides.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in ["# resumed with", *overrides]))
