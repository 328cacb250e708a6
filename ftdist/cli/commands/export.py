"""`ftdist export`: write the tuned model as a Hugging Face folder."""

from collections.abc import Sequence

from ftdist_launch.local.supervisor import exported_step
from ftdist_launch.setup.run_setup import read_plan

from ftdist.api.export import export_run
from ftdist.api.jobs import Submitted
from ftdist.cli.common import RunParser, log, print_result
from ftdist.cli.exit_messages import report_stage
from ftdist.cli.progress import supervise

DESCRIPTION = """\
Export a run's best checkpoint (the newest if none was evaluated in training) as a Hugging Face
model folder, R/export: safetensors, tokenizer, chat template, model card. The export is reloaded
and its logits verified."""


def main(arguments: Sequence[str]) -> int:
    """Export a run's tuned model.

    Raises:
        FtdistError: there is no such run, or it has no checkpoint.
    """
    parsed = RunParser("export", description=DESCRIPTION).parse_run(arguments)
    run = parsed.run
    ended = export_run(run, parsed.overrides, supervise=supervise, log=log)
    if isinstance(ended, Submitted):
        behind = f", after job {', '.join(ended.after)}" if ended.after else ""
        print_result(f"Run {run.name}: job {ended.job} exports it to {run.export}{behind}.")
        return 0
    if ended.exit_code:
        return report_stage(ended, run=run, verb="export")
    step = f"step {exported_step(run)} of {read_plan(run).steps}"
    print_result(f"The tuned model of run {run.name} ({step}) is in {run.export}.")
    return 0
