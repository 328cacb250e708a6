"""The last words about a run's work."""

from ftdist_launch.attempts import step_to_export
from ftdist_launch.local.supervisor import Finished
from ftdist_launch.resume import read_config

from ftdist.cli.common import log, print_result
from ftdist.rundir import RunDir

KEPT = {
    "export": "it begins anew",
    "compare": "it begins anew, but the base's answers are kept if it had given them all",
    "merge": "what it had measured is kept, and so are the base's answers if it had given them all",
}
"""What asking again after a stop means, by verb."""


def report_training(finished: Finished, *, run: RunDir) -> int:
    """Say how training ended and what to do now.

    Returns:
        The exit code.
    """
    name, cli_name, kept = run.name, run.cli_name, _kept(finished.step)
    match finished.outcome:
        case "done":
            print_result(
                f"Run {name} is done, {kept}{_best(finished.step, run)}.\n"
                f"Next: `ftdist export {cli_name}`, then `ftdist compare {cli_name}`."
            )
        case "stopped":
            log(f"Run {name} was stopped, {kept}. Go on with `ftdist resume {cli_name}`.")
        case _:
            report_failure(finished, run=run)
            if finished.outcome == "crash_loop":
                times = finished.num_stalled_attempts
                log(
                    f"{times} attempt{'s' if times != 1 else ''} in a row brought no new "
                    f"checkpoint, so run {name} is given up, {kept}."
                )
            elif finished.step is not None:
                log(f"Run {name} is kept, {kept}: once that is mended, `ftdist resume {cli_name}`.")
    return finished.exit_code


def report_stage(finished: Finished, *, run: RunDir, verb: str) -> int:
    """Say why an export, a comparison or a merge did not come to its end.

    Returns:
        The exit code.
    """
    if finished.outcome == "stopped":
        log(f"`ftdist {verb}` of run {run.name} was stopped; ask again: {KEPT[verb]}.")
    else:
        report_failure(finished, run=run)
    return finished.exit_code


def report_failure(finished: Finished, *, run: RunDir) -> None:
    """Say why the first rank failed, in two lines, and where more stands."""
    failure = finished.failure
    if failure is None:
        log(f"No rank of run {run.name} said why it ended.\nTo fix: read the logs in {run.jobs}.")
        return
    log(f"{failure.problem}\nTo fix: {failure.remedy}")


def _best(newest: int | None, run: RunDir) -> str:
    best = step_to_export(run, read_config(run))
    if best is None or best == newest:
        return ""
    return f"; the best of those measured is at step {best}, and is the one to be exported"


def _kept(step: int | None) -> str:
    return "without a checkpoint" if step is None else f"with a checkpoint at step {step}"
