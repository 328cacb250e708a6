"""`ftdist sync`: upload a run's metrics to W&B from a machine with network access."""

from collections.abc import Sequence

from ftdist_launch.subprocesses import call_child

from ftdist.cli.common import RunParser, print_result
from ftdist.io.units import format_count
from ftdist.observe.wandb.state import SyncResult

DESCRIPTION = """\
Upload what Weights & Biases lacks of a run: of a run that was offline, or whose upload
broke, even while it is running. Includes the newest comparison. Nothing is uploaded twice."""


def main(arguments: Sequence[str]) -> int:
    """Upload a run.

    Raises:
        FtdistError: there is no such run, no key, or W&B rejects the upload.
    """
    parser = RunParser("sync", description=DESCRIPTION, takes_keys=False)
    parser.add_argument(
        "--new", action="store_true", help="create another W&B run, for one deleted there"
    )
    parsed = parser.parse_run(arguments)
    run = parsed.run
    flags = ["--new"] if parsed.flags.new else []
    done = SyncResult(**call_child("ftdist.observe.wandb.sync", [str(run.root), *flags]))
    if done.by_itself:
        print_result(f"Run {run.name} is uploading its rows itself: {done.url}")
    elif done.step == 0 and not (done.comparison or done.alerts or done.artifacts):
        print_result(f"Run {run.name} has nothing to upload yet.")
    else:
        uploads = [f"{done.sent} uploaded now"] if done.sent else []
        uploads += [f"{done.answers} generations uploaded now"] if done.answers else []
        uploads += [f"{done.comparison} uploaded now"] if done.comparison else []
        uploads += [f"{format_count(done.alerts, 'alert')} sent now"] if done.alerts else []
        uploads += [f"artifact {name} uploaded now" for name in done.artifacts]
        summary = ", ".join(uploads) or "nothing new to upload"
        print_result(f"W&B has run {run.name} up to step {done.step}, {summary}: {done.url}")
    return 0
