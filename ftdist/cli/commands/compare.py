"""`ftdist compare`: evaluate the base and the tuned model on the same questions."""

import json
from collections.abc import Sequence

from ftdist.api.evaluate import EvalStage, evaluate_run
from ftdist.api.jobs import Submitted
from ftdist.cli.common import RunParser, log, print_json, print_result
from ftdist.cli.exit_messages import report_stage
from ftdist.cli.progress import supervise
from ftdist.evaluation.report.merge_sweep import print_merge_sweep
from ftdist.evaluation.report.terminal import print_comparison
from ftdist.rundir import RunDir
from ftdist.text.terminal import text_console

DESCRIPTION = """\
Evaluate the base and the exported model of a run on the same questions and write R/report:
answers.jsonl, scores.json and index.html. Probes (eval.probes) are rows of question, answer, keys
and kind; eval.general_questions and eval.perplexity_texts name other general questions and texts,
or none. Scores and answers are uploaded to the run's W&B page, if there is one;
tracking.log_generations=false uploads scores only."""


def main(arguments: Sequence[str]) -> int:
    """Compare the base with the tuned model of a run.

    Raises:
        FtdistError: there is no such run, no exported model or no questions.
    """
    parser = RunParser("compare", description=DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parsed = parser.parse_run(arguments)
    return evaluate(parsed.run, parsed.overrides, stage="compare", as_json=parsed.flags.json)


def evaluate(
    run: RunDir, overrides: Sequence[str], *, stage: EvalStage, as_json: bool = False
) -> int:
    """Evaluate models of a run, here or as a job, and print the scores.

    Raises:
        FtdistError: there is no exported model, or there are no questions.
    """
    ended = evaluate_run(run, overrides, stage=stage, supervise=supervise, log=log)
    if isinstance(ended, Submitted):
        if as_json:
            print_json({"folder": run.report, "job": ended.job})
            return 0
        behind = f", after job {', '.join(ended.after)}" if ended.after else ""
        does, place = ("compares", run.report) if stage == "compare" else ("merges", run.merge)
        print_result(
            f"Run {run.name}: job {ended.job} {does} it with its base{behind}, in {place}."
        )
        return 0
    if ended.outcome != "done":
        return report_stage(ended, run=run, verb=stage)
    if as_json:
        scores = json.loads((run.report / "scores.json").read_text(encoding="utf-8"))
        print_json({"folder": run.report, "scores": scores})
    elif stage == "merge":
        print_merge_sweep(run, text_console())
    else:
        print_comparison(run.report, text_console())
        print_result(f"The report of run {run.name} is in {run.report / 'index.html'}.")
    return 0
