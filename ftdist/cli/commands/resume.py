"""`ftdist resume`: go on with a run, on another number of ranks if need be."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftdist.cli.common import log, named_run, wants_help

if TYPE_CHECKING:
    from ftdist.config.schema import RunConfig
    from ftdist.rundir import RunDir

HELP = """Usage: ftdist resume R [key=value ...]

Goes on with run R from its newest whole checkpoint, and computes what the run would have computed
without the break. Keys of cluster, tracking, checkpoint and measure, eval.loss_every_steps
and batch.allow_uneven may change; others would make it another run.
"""


def main(words: Sequence[str]) -> int:
    """Go on with a run.

    Raises:
        FtdistError: there is no such run, or it cannot go on like this.
    """
    if wants_help(words, HELP):
        return 0
    run, overrides = named_run(words, verb="resume")

    from ftdist_launch.attempts import newest_step
    from ftdist_launch.local.supervisor import Supervisor, refuse_all_damaged
    from ftdist_launch.resume import MAY_CHANGE, changed, read_config, replan
    from ftdist_launch.run_setup import read_plan, write_plan

    from ftdist.cli.common import print_result
    from ftdist.cli.exit_messages import report_training
    from ftdist.cli.progress import progress_view_factory

    config = changed(read_config(run), overrides, allowed=MAY_CHANGE)
    refuse_all_damaged(run)
    if config.cluster.executor == "slurm":
        return _submit(run, config, overrides)
    steps, newest = read_plan(run).steps, newest_step(run)
    if newest is not None and newest >= steps:
        print_result(f"Run {run.name} is complete: it has made all {steps} steps.")
        return 0
    planned = replan(run, overrides, log=log)
    supervisor = Supervisor.for_run(
        run, planned.config, make_view=progress_view_factory(run, steps=steps), log=log
    )
    with supervisor.exclusive():
        _note_overrides(run, overrides)
        write_plan(run, config=planned.config, plan=planned.plan)
        if newest is None:
            log(f"Run {run.name} has no checkpoint yet: it starts anew.")
        finished = supervisor.train(planned.plan, asked_by="resume")
    return report_training(finished, run=run)


def _submit(run: "RunDir", config: "RunConfig", overrides: Sequence[str]) -> int:
    """Put the run into the queue again."""
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
            planned = replan(run, overrides, log=log)
            config, plan = planned.config, planned.plan
            newest = newest_step(run)
            if newest is not None and newest >= plan.steps:
                print_result(f"Run {run.name} is complete: it has made all {plan.steps} steps.")
                return 0
        _note_overrides(run, overrides)
        jobs = submit_again(run, config, plan, queue=queue)
    print_result(
        f"Run {run.name}: job {', '.join(jobs)}. Watch it: `ftdist status {run.cli_name}`."
    )
    return 0


def _note_overrides(run: "RunDir", overrides: Sequence[str]) -> None:
    if overrides:
        with run.overrides.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in ["# resumed with", *overrides]))
