"""Checks of a cluster's settings: which of them will hurt a run."""

from collections.abc import Callable, Iterator

from ftdist.io.units import format_count, format_duration
from ftdist_launch.doctor.finding import Area, Finding
from ftdist_launch.doctor.limits import limit_checks
from ftdist_launch.doctor.partitions import PartitionChoice, preemption
from ftdist_launch.doctor.slurm_facts import ClusterFacts, seconds

SLURM = Area("SLURM")

OLDEST = (22, 5)
"""The first version of SLURM that ftdist supports."""

SHORT_KILL_WAIT_S = 30
"""SLURM's own default of KillWait."""

MANY_DOWN = 0.2
"""Fraction of a partition's nodes that are down or drained from which on it is a warning."""


def slurm_checks(facts: ClusterFacts, choice: PartitionChoice | None) -> list[Finding]:
    """The findings of all checks, in the order of the output."""
    if not facts.config and not facts.partitions:
        return [_silent(facts)]
    found = [*_version(facts), *_unread(facts), *_partition(choice)]
    for check in _CHECKS:
        found += check(facts, choice)
    return found


def _silent(facts: ClusterFacts) -> Finding:
    return SLURM.fail(
        "controller",
        f"no answer: {facts.unread.get('sinfo', 'it lists no partition')}",
        consequence="no job can be submitted",
        remedy="check SLURM_CONF, and retry in a minute; `scontrol ping` shows the controller",
    )


def _version(facts: ClusterFacts) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    if not numbers:
        return
    if numbers < OLDEST:
        yield SLURM.warn(
            "version",
            f"SLURM {facts.version}",
            consequence="ftdist is tested with 22.05 and newer; requeue may differ",
            remedy="try a short run with `scontrol requeue` before a long one",
        )
    else:
        yield SLURM.ok("version", f"SLURM {facts.version}, cluster {facts.name}")


def _unread(facts: ClusterFacts) -> Iterator[Finding]:
    for command, reason in facts.unread.items():
        if command.startswith("sacctmgr"):
            consequence = "account, QOS and their limits are unknown"
            remedy = "ask the administrators which account to use; set cluster.account"
        elif command.startswith("scontrol show federation"):
            continue
        else:
            consequence = "what it would show was not checked"
            remedy = "retry in a minute, or ask the administrators"
        yield SLURM.warn(command, f"no answer: {reason}", consequence=consequence, remedy=remedy)


def _partition(choice: PartitionChoice | None) -> Iterator[Finding]:
    if choice is None:
        yield SLURM.fail(
            "partition",
            "none is up, has usable nodes, and admits your accounts",
            consequence="no job will start",
            remedy="ask the administrators for an account; `sinfo` lists the partitions",
        )
        return
    partition, kind = choice.partition, choice.kind
    gpus = " + ".join(f"{g.count} x {g.kind or 'GPU'}" for g in kind.gpus) or "no GPUs"
    nodes = format_count(partition.nodes, "node")
    found = f"{partition.name}: {nodes}, {gpus} and {kind.cpus} CPUs per node"
    down = partition.nodes - partition.usable
    if down > MANY_DOWN * partition.nodes:
        yield SLURM.warn(
            "partition",
            f"{found}; {down} of {nodes} down or drained",
            consequence="jobs wait for the rest",
            remedy="see `sinfo -R` for the reasons; ask for at most "
            f"{format_count(partition.usable, 'node')}",
        )
    else:
        yield SLURM.ok("partition", f"{found}, {kind.idle} idle now")
    gpu_kinds = {kind.gpus for kind in partition.kinds if kind.gpus}
    if len(gpu_kinds) > 1:
        names = " and ".join(
            sorted(" + ".join(f"{g.count} x {g.kind or 'GPU'}" for g in gpus) for gpus in gpu_kinds)
        )
        feature = f"={kind.features[0]}" if kind.features else ""
        yield SLURM.warn(
            "mixed GPUs",
            f"partition {partition.name} has nodes with {names}",
            consequence="a job may get both kinds: it runs at the pace of the slower one, or fails",
            remedy=f"set cluster.constraint{feature} (`sinfo -o '%f %G'` lists features)",
        )


def _preemption(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:
    if choice is None:
        return
    rule = preemption(choice.partition, facts)
    name = choice.partition.name
    if rule.mode == "OFF":
        yield SLURM.ok("preemption", f"jobs of {name} are not preempted")
    elif rule.mode == "REQUEUE" and rule.grace_s:
        yield SLURM.ok(
            "preemption",
            f"{rule.by} preempt those of {name}: {rule.grace_s} s of grace, then requeue",
        )
    elif rule.mode == "REQUEUE":
        yield SLURM.warn(
            "preemption",
            f"{rule.by} preempt those of {name} without grace, then requeue",
            consequence="steps since the last checkpoint are lost at each preemption",
            remedy="set checkpoint.every_steps so that a save comes every 10 to 20 minutes",
        )
    elif rule.mode == "CANCEL":
        grace = f"after {rule.grace_s} s of grace" if rule.grace_s else "without grace"
        yield SLURM.warn(
            "preemption",
            f"{rule.by} cancel those of {name} {grace} (PreemptMode=CANCEL)",
            consequence="SLURM does not restart a preempted run"
            + ("" if rule.grace_s else ", and steps since its last checkpoint are lost"),
            remedy="set checkpoint.every_steps; `ftdist resume R` continues a run; or use another "
            "partition",
        )
    else:
        yield SLURM.warn(
            "preemption",
            f"{rule.by} suspend those of {name} (PreemptMode={rule.mode})",
            consequence="a suspended run keeps its GPU memory, and its collectives time out",
            remedy="use another partition or QOS, or raise cluster.step_timeout_s",
        )


def _requeue(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:  # noqa: ARG001
    value = facts.config.get("JobRequeue")
    if value == "0":
        yield SLURM.ok("requeue", "JobRequeue=0; ftdist's jobs ask for requeue themselves")
    elif value is not None:
        yield SLURM.ok("requeue", "jobs are requeued after lost nodes and preemption")


def _kill_wait(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:  # noqa: ARG001
    if "KillWait" not in facts.config:
        return
    wait_s = seconds(facts.config["KillWait"])
    if wait_s < SHORT_KILL_WAIT_S:
        yield SLURM.warn(
            "KillWait",
            f"{wait_s} s between SIGTERM and SIGKILL",
            consequence="a run that is cancelled or reaches its limit cannot save in that time",
            remedy="stop runs with `ftdist cancel`, and keep cluster.signal_delay_s above one save",
        )
    else:
        yield SLURM.ok("KillWait", f"{wait_s} s between SIGTERM and SIGKILL")


def _arrays(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:  # noqa: ARG001
    value = facts.config.get("MaxArraySize", "")
    if not value.isdigit():
        return
    largest = max(0, int(value) - 1)
    if largest < 100:
        yield SLURM.warn(
            "MaxArraySize",
            f"{value}: an array has at most {format_count(largest, 'task')}",
            consequence="larger sweeps (`ftdist submit -m`) are rejected",
            remedy="split a sweep into several commands",
        )
    else:
        yield SLURM.ok("MaxArraySize", f"sweeps of up to {largest:,} runs")


def _select(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:
    kind = facts.config.get("SelectType", "")
    consumes_memory = "memory" in facts.config.get("SelectTypeParameters", "").lower()
    if kind == "select/linear":
        yield SLURM.warn(
            "SelectType",
            "select/linear: jobs get whole nodes",
            consequence="preparation, with one process, occupies and is charged a whole node",
            remedy="set cluster.cpu_partition to a partition of small nodes",
        )
        return
    if kind:
        yield SLURM.ok("SelectType", f"{kind}, {facts.config.get('SelectTypeParameters', '')}")
    if consumes_memory and choice is not None:
        default = _default_memory(facts, choice)
        if default:
            yield SLURM.warn(
                "memory",
                f"jobs that ask for none get {default}",
                consequence="ranks are killed while they load a model",
                remedy="set cluster.memory_gib=0 (all of the node), as the cluster file does",
            )


def _default_memory(facts: ClusterFacts, choice: PartitionChoice) -> str:
    """The default memory of a job in words; "": all of a node."""
    for settings in (choice.partition.settings, facts.config):
        for key, unit in (("DefMemPerCPU", "CPU"), ("DefMemPerNode", "node")):
            value = settings.get(key, "")
            if value.isdigit() and int(value):
                return f"{int(value):,} MiB per {unit}"
    return ""


def _cgroups(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:
    config = facts.config
    task, track = config.get("TaskPlugin", ""), config.get("ProctrackType", "")
    if not task and not track:
        return
    if "cgroup" not in track:
        yield SLURM.warn(
            "process tracking",
            track or "none",
            consequence="processes of a killed job may survive and hold GPU memory",
            remedy="if a GPU is full without a job, report the node; set cluster.exclude",
        )
    else:
        yield SLURM.ok("process tracking", track)
    has_gpus = choice is not None and choice.partition.gpus > 0
    if has_gpus and ("cgroup" not in task or config.get("ConstrainDevices", "yes") != "yes"):
        yield SLURM.warn(
            "GPU isolation",
            f"TaskPlugin={task or 'none'}: a job sees all GPUs of its node",
            consequence="another job's process may take memory of your GPUs",
            remedy="request all GPUs of a node (cluster.gpus_per_node)",
        )


def _accounting(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:  # noqa: ARG001
    kind = facts.config.get("AccountingStorageType")
    if kind is None:
        return
    if "slurmdbd" not in kind:
        yield SLURM.warn(
            "accounting",
            f"AccountingStorageType={kind or 'none'}: `sacct` shows nothing",
            consequence="`ftdist status` cannot show how a job ended that left no record",
            remedy="read the job's log (`ftdist logs R`)",
        )
    else:
        yield SLURM.ok("accounting", "`sacct` shows how jobs ended")


def _node_loss(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:  # noqa: ARG001
    if "SlurmdTimeout" not in facts.config:
        return
    silent_s = seconds(facts.config["SlurmdTimeout"])
    if silent_s == 0 or silent_s > 900:
        yield SLURM.warn(
            "lost nodes",
            "never noticed (SlurmdTimeout=0)"
            if silent_s == 0
            else f"noticed after {format_duration(silent_s)} (SlurmdTimeout)",
            consequence="the other nodes of a run wait for a lost one for cluster.step_timeout_s",
            remedy="lower cluster.step_timeout_s to a few minutes",
        )
    else:
        yield SLURM.ok("lost nodes", f"noticed after {format_duration(silent_s)}")


def _federation(facts: ClusterFacts, choice: PartitionChoice | None) -> Iterator[Finding]:  # noqa: ARG001
    if facts.siblings:
        yield SLURM.warn(
            "federation",
            f"shared with {', '.join(facts.siblings)}",
            consequence="a job may start on another cluster, which may not see these files",
            remedy="ask the administrators how to keep jobs on this cluster, and try a short run",
        )


_CHECKS: tuple[Callable[[ClusterFacts, PartitionChoice | None], Iterator[Finding]], ...] = (
    _preemption,
    _requeue,
    _kill_wait,
    limit_checks,
    _arrays,
    _select,
    _cgroups,
    _accounting,
    _node_loss,
    _federation,
)
