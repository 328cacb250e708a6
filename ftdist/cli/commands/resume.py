"""`ftdist resume`: resume a run, on any number of ranks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftdist.cli.common import RunParser, log

if TYPE_CHECKING:
    from ftdist.config.schema import RunConfig
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

    from ftdist_launch.attempts import newest_step
    from ftdist_launch.local.supervisor import Supervisor, refuse_all_damaged
    from ftdist_launch.resume import MAY_CHANGE, read_config, replan
    from ftdist_launch.run_setup import read_plan, write_plan

    from ftdist.cli.common import print_result
    from ftdist.cli.exit_messages import report_training
    from ftdist.cli.progress import progress_view_factory
    from ftdist.config.saved_config import override_config
    from ftdist.io.units import format_count

    config = override_config(read_config(run), overrides, allowed=MAY_CHANGE)
    refuse_all_damaged(run)
    if config.cluster.executor == "slurm":
        return _submit(run, config, overrides)
    steps, newest = read_plan(run).steps, newest_step(run)
    if newest is not None and newest >= steps:
        print_result(f"Run {run.name} is complete: all {format_count(steps, 'step')} are done.")
        return 0
    planned = replan(run, config, log=log)
    supervisor = Supervisor.for_run(
        run, planned.config, make_view=progress_view_factory(run, steps=steps), log=log
    )
    with supervisor.exclusive():
        _record_overrides(run, overrides)
        write_plan(run, config=planned.config, plan=planned.plan)
        if newest is None:
            log(f"Run {run.name} has no checkpoint yet: it starts from the beginning.")
        finished = supervisor.train(planned.plan, requested_by="resume")
    return report_training(finished, run=run)


def _submit(run: "RunDir", config: "RunConfig", overrides: Sequence[str]) -> int:
    """Submit the run again."""
    from ftdist_launch.attempts import newest_step
    from ftdist_launch.resume import replan
    from ftdist_launch.slurm.client import Queue
    from ftdist_launch.slurm.run_jobs import exclusive
    from ftdist_launch.slurm.submit import submit_again

    from ftdist.cli.common import print_result

    queue = Queue()
    with exclusive(run, queue=queue, log=log):
        plan = None
        if run.plan.is_file():
            planned = replan(run, config, log=log)
            config, plan = planned.config, planned.plan
            newest = newest_step(run)
            if newest is not None and newest >= plan.steps:
                print_result(f"Run {run.name} is complete.")
                return 0
        _record_overrides(run, overrides)
        jobs = submit_again(run, config, plan, queue=queue)
    print_result(
        f"Run {run.name}: job {', '.join(jobs)}. Watch it: `ftdist status {run.cli_name}`."
    )
    return 0


def _record_overrides(run: "RunDir", overrides: Sequence[str]) -> None:
    if overrides:
        with run.overrides.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in ["# resumed with", *overrides]))
