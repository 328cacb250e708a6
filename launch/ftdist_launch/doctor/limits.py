"""Checks of the limits on time, jobs and GPUs, from partition, account and QOS."""

import re
from collections.abc import Iterator, Mapping

from ftdist.io.units import format_count
from ftdist_launch.doctor.finding import Area, Finding
from ftdist_launch.doctor.partitions import USEFUL_MIN, PartitionChoice
from ftdist_launch.doctor.slurm_facts import ClusterFacts
from ftdist_launch.slurm.sinfo_fields import minutes

LIMITS = Area("SLURM")

JOBS_OF_RUN = 2
"""Jobs of one `ftdist submit`: preparation and training."""

JOBS_OF_EXPERT = 5
"""Jobs of a whole way from documents to a report: curate, prepare, train, export, compare."""


def time_limit_min(facts: ClusterFacts, choice: PartitionChoice) -> int | None:
    """The longest time that a job may ask for, in minutes; None: no limit."""
    limits = [choice.partition.time_limit_min]
    limits += [minutes(each["MaxWall"]) for each in job_limits(facts, choice) if "MaxWall" in each]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def job_limits(facts: ClusterFacts, choice: PartitionChoice) -> list[Mapping[str, str]]:
    """The limits of the account, of its QOS, and of the partition's own QOS."""
    account = choice.account or facts.default_account
    mine = [
        each
        for each in facts.associations
        if each.account == account and each.partition in ("", choice.partition.name)
    ]
    names = {choice.qos or next((each.default_qos for each in mine if each.default_qos), "normal")}
    names.add(choice.partition.settings.get("QoS", "N/A"))
    return [*(each.limits for each in mine), *(q.limits for q in facts.qos if q.name in names)]


def limit_checks(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:
    """Limits on time, jobs and GPUs that a run will meet."""
    if choice is None:
        return
    yield from _time(facts, choice)
    yield from _nodes(choice)
    yield from _jobs(facts, choice)
    yield from _gpus(facts, choice)


def _time(facts: ClusterFacts, choice: PartitionChoice) -> Iterator[Finding]:
    limit = time_limit_min(facts, choice)
    name = choice.partition.name
    if limit is None:
        yield LIMITS.ok("time limit", f"none on {name}")
    elif limit < USEFUL_MIN:
        yield LIMITS.warn(
            "time limit",
            f"{limit} min on {name}",
            consequence="a run of hours restarts many times and waits in the queue each time",
            remedy="use a partition or QOS with a longer limit, if there is one",
        )
    else:
        yield LIMITS.ok(
            "time limit", f"{limit / 60:g} h on {name}; longer runs continue by themselves"
        )


def _nodes(choice: PartitionChoice) -> Iterator[Finding]:
    most = choice.partition.settings.get("MaxNodes", "")
    if most.isdigit() and int(most) < choice.partition.nodes:
        yield LIMITS.ok("nodes per job", f"at most {most} on {choice.partition.name}")


def _jobs(facts: ClusterFacts, choice: PartitionChoice) -> Iterator[Finding]:
    values = [
        (int(each[key]), key)
        for each in job_limits(facts, choice)
        for key in ("MaxSubmit", "MaxSubmitPU")
        if each.get(key, "").isdigit()
    ]
    if not values:
        return
    fewest, key = min(values)
    if fewest < JOBS_OF_RUN:
        yield LIMITS.fail(
            "jobs in the queue",
            f"at most {fewest} ({key})",
            consequence=f"`ftdist submit` queues {JOBS_OF_RUN} jobs, so that SLURM rejects it",
            remedy="use another QOS or account (cluster.qos, cluster.account)",
        )
    elif fewest < JOBS_OF_EXPERT:
        yield LIMITS.warn(
            "jobs in the queue",
            f"at most {fewest} ({key})",
            consequence=f"chains of {JOBS_OF_EXPERT} jobs, from documents to report, are rejected",
            remedy="submit curate, train, export and compare one after the other",
        )
    else:
        yield LIMITS.ok("jobs in the queue", f"at most {fewest}")


def _gpus(facts: ClusterFacts, choice: PartitionChoice) -> Iterator[Finding]:
    per_node = choice.kind.gpu_count
    if not per_node:
        return
    values = [
        (int(found[1]), key)
        for each in job_limits(facts, choice)
        for key in ("MaxTRES", "MaxTRESPU", "GrpTRES")
        if (found := re.search(r"gres/gpu(?::[^=,]*)?=(\d+)", each.get(key, "")))
    ]
    if not values:
        return
    most, key = min(values)
    if most < per_node:
        yield LIMITS.warn(
            "GPUs at once",
            f"at most {most} ({key}), and a node has {per_node}",
            consequence="a job that asks for a whole node waits without end",
            remedy=f"set cluster.tasks_per_node={most} and cluster.nodes=1",
        )
    else:
        yield LIMITS.ok(
            "GPUs at once", f"at most {most} ({key}): {format_count(most // per_node, 'node')}"
        )
