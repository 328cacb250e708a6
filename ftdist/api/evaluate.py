"""Evaluate the base and the tuned model of a run on the same questions."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

from ftdist_launch.attempts import Finished, step_to_export
from ftdist_launch.local.supervisor import exported_step
from ftdist_launch.run_config import read_config
from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.resolve_data import resolve_eval
from ftdist_launch.setup.run_setup import absolute_paths
from ftdist_launch.setup.stage_preflight import compare_problems, output_problems
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import queued_jobs_of, refuse_second_job
from ftdist_launch.slurm.submit import submit_stage

from ftdist.api.jobs import Submitted, Supervise
from ftdist.config.keys import comparison_keys
from ftdist.config.saved_config import override_config
from ftdist.config.schema import MergeConfig, RunConfig
from ftdist.evaluation.grafting import check_onto
from ftdist.evaluation.merge_settings import merge_settings
from ftdist.inference.model_folder import resolve_model_folder
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.observe.wandb.comparison_table import LOG_GENERATIONS_KEY
from ftdist.plan.model_info import read_model_info
from ftdist.plan.param_names import merge_factors
from ftdist.rundir import RunDir

EvalStage = Literal["compare", "merge"]


def evaluate_run(
    run: RunDir,
    overrides: Sequence[str],
    *,
    stage: EvalStage,
    supervise: Supervise,
    log: LogFn,
) -> Finished | Submitted:
    """Evaluate models of a run, here or as a job.

    Args:
        run: the run.
        overrides: keys of the evaluation and of `cluster`.
        stage: compare base and tuned model, or merge them first.
        supervise: shows progress.
        log: for messages to the user.

    Raises:
        FtdistError: there is no exported model, or there are no questions.
    """
    own = LOG_GENERATIONS_KEY if stage == "compare" else "merge."
    allowed = (*comparison_keys(), "cluster.", own)
    config = override_config(read_config(run), overrides, allowed=allowed)
    config = replace(config, eval=absolute_paths(resolve_eval(config.eval, log=log)))
    if stage == "merge":
        raise_together([*output_problems(run, stage=stage)])
        config = replace(config, merge=_checked(config))
    if config.cluster.executor == "slurm":
        return _submit(run, config, stage=stage)
    raise_together([*output_problems(run, stage=stage), *compare_problems(run, config)])
    _warn_of_outdated_export(run, config, log=log)
    supervisor = supervise(run, config)
    with supervisor.exclusive():
        _write_request(run, config, stage=stage)
        return supervisor.once(stage)


def _checked(config: RunConfig) -> MergeConfig:
    """The settings of a merge, which fit the model, with the folder of another model's name."""
    merge, base = config.merge, Path(config.model.path)
    merge_settings(merge)
    merge_factors(merge.layers, read_model_info(base))
    if merge.onto is None:
        return merge
    onto = resolve_model_folder(merge.onto, None, key="merge.onto").absolute()
    check_onto(onto, base=base)
    return replace(merge, onto=str(onto))


def _warn_of_outdated_export(run: RunDir, config: RunConfig, *, log: LogFn) -> None:
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


def _submit(run: RunDir, config: RunConfig, *, stage: EvalStage) -> Submitted:
    """Submit the evaluation, after an export that is queued."""
    queue = Queue()
    after = queued_jobs_of(run, stages=("export",), queue=queue)
    raise_together(
        [*output_problems(run, stage=stage), *compare_problems(run, config, exported=not after)]
    )
    refuse_second_job(stage, run, queue=queue)
    _write_request(run, config, stage=stage)
    job = submit_stage(stage, run, config, after=after, queue=queue)
    return Submitted(run=run, job=job, after=tuple(after))
