"""The last words about a run's work."""

import sys

from ftdist.cli.arguments import say
from ftdist.rundir import RunDir
from launch.supervise import Finished


def tell(finished: Finished, *, run: RunDir) -> int:
    """Say how training ended and what to do now.

    Returns:
        The exit code.
    """
    name, kept = run.name, _kept(finished.step)
    match finished.outcome:
        case "done":
            sys.stdout.write(
                f"Run {name} is done, {kept}.\n"
                f"Next: `ftdist export {name}`, then `ftdist compare {name}`.\n"
            )
        case "stopped":
            say(f"Run {name} was stopped, {kept}. Go on with `ftdist resume {name}`.")
        case _:
            tell_failure(finished, run=run)
            if finished.outcome == "crash_loop":
                times = finished.attempts_in_vain
                say(
                    f"{times} attempt{'s' if times != 1 else ''} in a row brought no new "
                    f"checkpoint, so run {name} is given up, {kept}."
                )
            elif finished.step is not None:
                say(f"Run {name} is kept, {kept}: once that is mended, `ftdist resume {name}`.")
    return finished.exit_code


def tell_failure(finished: Finished, *, run: RunDir) -> None:
    """Say why the first rank failed, in two lines, and where more stands."""
    failure = finished.failure
    if failure is None:
        say(f"No rank of run {run.name} said why it ended.\nTo fix: read the logs in {run.jobs}.")
        return
    say(f"{failure.problem}\nTo fix: {failure.remedy}")


def _kept(step: int | None) -> str:
    return "without a checkpoint" if step is None else f"with a checkpoint at step {step}"
