"""What `ftdist expert` will do, as text for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from ftdist.config.schema import RunConfig
from ftdist.io.units import format_count, format_duration
from ftdist.plan.describe import describe, describe_duration
from ftdist.plan.duration import estimate_duration
from ftdist.plan.plan import Plan
from ftdist_launch.expert.request import ExpertRequest
from ftdist_launch.expert.schedule import Schedule
from ftdist_launch.expert.stages import STAGES, TITLES, StageName
from ftdist_launch.slurm.preflight import plan_summary
from ftdist_launch.slurm.sbatch import gpus_of

OF_JOBS = ("GPUs per node", "time limit per job", "time to save")
"""Rows that only matter on a cluster."""


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """What is known about a stage before it runs."""

    name: StageName
    title: str
    start: str
    """When it starts, or why it does not run."""

    resources: str


def stage_rows(request: ExpertRequest, plan: Schedule) -> list[StageRow]:
    """What happens to each stage."""
    rows, before = [], ""
    for name in STAGES:
        start = f"after {before}" if before else "at once"
        if name in plan.todo:
            before = name
        else:
            start = "done before" if name in plan.reused else "not needed"
        resources = _resources(request, name) if name in plan.todo else ""
        rows.append(StageRow(name=name, title=TITLES[name], start=start, resources=resources))
    return rows


def _resources(request: ExpertRequest, stage: StageName) -> str:
    cluster = request.config.cluster
    ranks = f"{cluster.nodes} x {cluster.tasks_per_node} ranks"
    text = ranks if stage == "train" else "1 process"
    gpus = gpus_of(stage, cluster, copies=request.config.eval.num_replicas)
    return f"{text}, {gpus} GPU{'s' if gpus > 1 else ''} a node" if gpus else text


def facts(request: ExpertRequest, planned: tuple[RunConfig, Plan] | None) -> list[tuple[str, str]]:
    """What is known about the run: of its plan and how long it takes, if the library exists.

    Args:
        request: what to do.
        planned: the config and plan of the run; None: its library is still to be made.
    """
    config = request.config
    rows = [("base model", config.model.path), ("library", config.library.path)]
    if planned is None:
        rows += plan_summary(config)
    else:
        planned_config, plan = planned
        duration = estimate_duration(planned_config, plan=plan)
        rows += [*describe(plan), *describe_duration(duration, plan=plan)]
    if request.on_cluster:
        rows.append(("at most per training job", _limit(request)))
        return rows
    return [row for row in rows if row[0] not in OF_JOBS]


def _limit(request: ExpertRequest) -> str:
    """The longest a training job may take; the run continues in further ones."""
    cluster = request.config.cluster
    text = format_duration(60 * cluster.timeout_min)
    gpus = cluster.nodes * (cluster.gpus_per_node or 0)
    if gpus:
        text += f", {gpus * cluster.timeout_min / 60:,.0f} GPU-hours"
    return text


def unknown(request: ExpertRequest) -> str:
    """What nobody can know before the library is made, in sentences."""
    number = _num_questions(request)
    curate = (
        f"Stage curate asks the base model {format_count(number, 'question')} (retention.num_*), "
        "which takes long with a large model on CPUs. "
    )
    return (curate if number else "") + (
        "Not known before the library is curated: its size, so the number of steps, tokens, time "
        f"and GPU-hours. Once stage prepare is done, `ftdist status {request.run.cli_name}` "
        "shows them."
    )


def _num_questions(request: ExpertRequest) -> int:
    """How many questions the curation asks the base model at most, for retention."""
    if request.curation is None:
        return 0
    retention = request.curation.retention
    return retention.num_replay_answers + retention.num_out_of_scope_answers


def durations(seconds: Mapping[StageName, float | None]) -> str:
    """How long each stage took, and all together."""
    known = {name: s for name, s in seconds.items() if s is not None}
    parts = ", ".join(f"{name} {format_duration(s)}" for name, s in known.items())
    return f"{parts}; {format_duration(sum(known.values()))} in all"
