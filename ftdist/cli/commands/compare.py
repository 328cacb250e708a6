"""`ftdist compare`: evaluate the base and the tuned model on the same questions."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Literal

from ftdist_launch.attempts import step_to_export
from ftdist_launch.local.supervisor import exported_step
from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.resolve_data import resolve_eval
from ftdist_launch.setup.resume import read_config
from ftdist_launch.setup.run_setup import absolute_paths, output_problems
from ftdist_launch.setup.stage_preflight import compare_problems
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import queued_jobs_of, refuse_second_job
from ftdist_launch.slurm.submit import submit_stage
from rich.console import Console

from ftdist.cli.common import RunParser, log, print_result
from ftdist.cli.exit_messages import report_stage
from ftdist.cli.progress import supervise
from ftdist.config.keys import comparison_keys
from ftdist.config.saved_config import override_config
from ftdist.config.schema import RunConfig
from ftdist.evaluation.report.merge_sweep import print_merge_sweep
from ftdist.evaluation.report.terminal import print_comparison
from ftdist.evaluation.selection import check_alphas
from ftdist.io.jsonl import write_whole
from ftdist.observe.wandb.comparison_table import LOG_GENERATIONS_KEY
from ftdist.rundir import RunDir

DESCRIPTION = """\
Evaluate the base and the exported model of a run on the same questions and write R/report:
answers.jsonl, scores.json and index.html. Probes (eval.probes) are rows of question, answer, keys
and kind; eval.general_questions and eval.perplexity_texts name other general questions and texts,
or none. Scores and answers are uploaded to the run's W&B page, if there is one;
tracking.log_generations=false uploads scores only."""

EvalStage = Literal["compare", "merge"]


def main(arguments: Sequence[str]) -> int:
    """Compare the base with the tuned model of a run.

    Raises:
        FtdistError: there is no such run, no exported model or no questions.
    """
    parsed = RunParser("compare", description=DESCRIPTION).parse_run(arguments)
    return evaluate(parsed.run, parsed.overrides, stage="compare")


def evaluate(run: RunDir, overrides: Sequence[str], *, stage: EvalStage) -> int:
    """Evaluate models of a run, here or as a job, and print the scores.

    Raises:
        FtdistError: there is no exported model, or there are no questions.
    """
    own = LOG_GENERATIONS_KEY if stage == "compare" else "merge."
    allowed = (*comparison_keys(), "cluster.", own)
    config = override_config(read_config(run), overrides, allowed=allowed)
    config = replace(config, eval=absolute_paths(resolve_eval(config.eval, log=log)))
    if stage == "merge":
        check_alphas(config.merge.alphas)
    if config.cluster.executor == "slurm":
        return _submit(run, config, stage=stage)
    raise_together([*output_problems(run, stage=stage), *compare_problems(run, config)])
    _warn_of_outdated_export(run, config)
    supervisor = supervise(run, config)
    with supervisor.exclusive():
        _write_request(run, config, stage=stage)
        finished = supervisor.once(stage)
    if finished.exit_code:
        return report_stage(finished, run=run, verb=stage)
    if stage == "merge":
        print_merge_sweep(run, Console())
    else:
        print_comparison(run.report, Console())
        print_result(f"The report of run {run.name} is in {run.report / 'index.html'}.")
    return 0


def _warn_of_outdated_export(run: RunDir, config: RunConfig) -> None:
    exported, wanted = exported_step(run), step_to_export(run, config)
    if exported is not None and wanted is not None and exported != wanted:
        log(
            f"Warning: the exported model is of step {exported}, but the checkpoint to export is "
            f"of step {wanted}. Run `ftdist export {run.cli_name}` to update it."
        )


def _write_request(run: RunDir, config: RunConfig, *, stage: EvalStage) -> None:
    """Write the keys whose values differ from the run's, for the job and `ftdist sync`."""
    own, requested = asdict(read_config(run)), asdict(config)
    fields = {
        f"{section}.{name}": value
        for section in ("eval", "merge")
        for name, value in requested[section].items()
        if value != own[section][name]
    }
    if stage == "compare":
        fields[LOG_GENERATIONS_KEY] = config.tracking.log_generations
    path = run.request(stage)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps(fields, indent=2) + "\n")


def _submit(run: RunDir, config: RunConfig, *, stage: EvalStage) -> int:
    """Put the evaluation into the queue, behind an export that is there."""
    queue = Queue()
    after = queued_jobs_of(run, stages=("export",), queue=queue)
    raise_together(
        [*output_problems(run, stage=stage), *compare_problems(run, config, exported=not after)]
    )
    refuse_second_job(stage, run, queue=queue)
    _write_request(run, config, stage=stage)
    job = submit_stage(stage, run, config, after=after, queue=queue)
    behind = f", after job {', '.join(after)}" if after else ""
    does, place = ("compares", run.report) if stage == "compare" else ("merges", run.merge)
    print_result(f"Run {run.name}: job {job} {does} it with its base{behind}, in {place}.")
    return 0
