"""Final messages of a run or a stage: what happened, and what to do next."""

from ftdist_launch.attempt_end import describe_loss
from ftdist_launch.attempts import Finished, step_to_export
from ftdist_launch.run_config import read_config

from ftdist.cli.common import print_result, report
from ftdist.io.units import format_count
from ftdist.rundir import RunDir

CACHED = {
    "export": "it starts over",
    "compare": "it starts over, but reuses the base's answers if they were complete",
    "merge": "it reuses finished evaluations, and the base's answers if they were complete",
}
"""What running an interrupted stage again does."""


def report_training(finished: Finished, *, run: RunDir) -> int:
    """Print how training ended and what to do next.

    Returns:
        The exit code.
    """
    name, cli_name = run.name, run.cli_name
    checkpoint = _checkpoint(finished)
    match finished.outcome:
        case "done":
            print_result(
                f"Run {name} is complete, {checkpoint}{_best(finished.step, run)}.\n"
                f"Next: `ftdist export {cli_name}`, then `ftdist compare {cli_name}`."
            )
        case "stopped":
            cause = "" if finished.cause is None else f" {finished.cause}"
            report(
                f"Run {name} was stopped, {checkpoint}.{cause} "
                f"Resume it: `ftdist resume {cli_name}`."
            )
        case "superseded":
            report(
                f"Run {name} goes on elsewhere: {finished.cause} Nothing was written since.\n"
                f"To fix: nothing; see `ftdist status {cli_name}`."
            )
        case _:
            report_failure(finished, run=run)
            if finished.outcome == "crash_loop":
                attempts = format_count(finished.num_stalled_attempts, "consecutive attempt")
                report(f"Giving up on run {name} after {attempts} without progress, {checkpoint}.")
            elif finished.step is not None:
                report(
                    f"Run {name} is resumable, {checkpoint}. "
                    f"Fix this, then run `ftdist resume {cli_name}`."
                )
    return finished.exit_code


def report_stage(finished: Finished, *, run: RunDir, verb: str) -> int:
    """Print why an export, a comparison or a merge sweep did not finish.

    Returns:
        The exit code.
    """
    if finished.outcome == "stopped":
        report(f"`ftdist {verb}` of run {run.name} was stopped; run it again: {CACHED[verb]}.")
    else:
        report_failure(finished, run=run)
    return finished.exit_code


def report_failure(finished: Finished, *, run: RunDir) -> None:
    """Print why the first rank failed, in two lines."""
    failure = finished.failure
    if failure is None:
        report(
            f"No rank of run {run.name} reported an error.\nTo fix: read the logs in {run.jobs}."
        )
        return
    report(f"{failure.problem}\nTo fix: {failure.remedy}")


def _best(newest: int | None, run: RunDir) -> str:
    best = step_to_export(run, read_config(run))
    if best is None or best == newest:
        return ""
    return f"; the best one is at step {best} and will be exported"


def _checkpoint(finished: Finished) -> str:
    """The newest checkpoint, and how many steps were made since."""
    step, lost = finished.step, finished.steps_lost
    text = "without a checkpoint" if step is None else f"last checkpoint: step {step}"
    return f"{text} ({describe_loss(lost)})" if lost else text
