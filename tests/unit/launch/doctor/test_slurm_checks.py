from dataclasses import replace

import pytest
from ftdist_launch.doctor.finding import Finding
from ftdist_launch.doctor.partitions import choose
from ftdist_launch.doctor.slurm_checks import slurm_checks
from ftdist_launch.doctor.slurm_facts import ClusterFacts

from tests.support.findings import lines, named
from tests.support.slurm.captured_clusters import captured

LAB = """\
ok version | SLURM 22.05.8, cluster slurmlab
ok partition | main: 2 nodes, 2 x GPU and 2 CPUs per node, 2 idle now
ok preemption | jobs of partition high preempt those of main: 30 s of grace, then requeue
ok requeue | jobs are requeued after lost nodes and preemption
warn KillWait | 5 s between SIGTERM and SIGKILL | a run that is cancelled or reaches its limit \
cannot save in that time | stop runs with `ftdist cancel`, and keep cluster.signal_delay_s above \
one save
ok time limit | none on main
ok MaxArraySize | sweeps of up to 1,000 runs
ok SelectType | select/cons_tres, CR_CPU
warn process tracking | proctrack/linuxproc | processes of a killed job may survive and hold GPU \
memory | if a GPU is full without a job, report the node; set cluster.exclude
warn GPU isolation | TaskPlugin=task/none: a job sees all GPUs of its node | another job's \
process may take memory of your GPUs | request all GPUs of a node (cluster.gpus_per_node)
ok accounting | `sacct` shows how jobs ended
ok lost nodes | noticed after 10s
"""

GPUS = """\
ok version | SLURM 24.05.4, cluster borealis
ok partition | h100: 16 nodes, 8 x h100 and 192 CPUs per node, 4 idle now
ok preemption | jobs of h100 are not preempted
ok requeue | JobRequeue=0; ftdist's jobs ask for requeue themselves
ok KillWait | 60 s between SIGTERM and SIGKILL
ok time limit | 12 h on h100; longer runs continue by themselves
ok nodes per job | at most 8 on h100
ok jobs in the queue | at most 16
ok GPUs at once | at most 32 (MaxTRESPU): 4 nodes
ok MaxArraySize | sweeps of up to 10,000 runs
ok SelectType | select/cons_tres, CR_CORE_MEMORY
warn memory | jobs that ask for none get 4,000 MiB per CPU | ranks are killed while they load a \
model | set cluster.memory_gib=0 (all of the node), as the cluster file does
ok process tracking | proctrack/cgroup
ok accounting | `sacct` shows how jobs ended
ok lost nodes | noticed after 5m00s
"""

CPUS = """\
warn version | SLURM 21.08.8-2 | ftdist is tested with 22.05 and newer; requeue may differ | try \
a short run with `scontrol requeue` before a long one
warn partition | batch: 10 nodes, no GPUs and 40 CPUs per node; 4 of 10 nodes down or drained | \
jobs wait for the rest | see `sinfo -R` for the reasons; ask for at most 6 nodes
ok preemption | jobs of batch are not preempted
ok requeue | jobs are requeued after lost nodes and preemption
ok KillWait | 30 s between SIGTERM and SIGKILL
warn time limit | 120 min on batch | a run of hours restarts many times and waits in the queue \
each time | use a partition or QOS with a longer limit, if there is one
warn jobs in the queue | at most 3 (MaxSubmit) | chains of 5 jobs, from documents to report, are \
rejected | submit curate, train, export and compare one after the other
warn MaxArraySize | 65: an array has at most 64 tasks | larger sweeps (`ftdist submit -m`) are \
rejected | split a sweep into several commands
warn SelectType | select/linear: jobs get whole nodes | preparation, with one process, occupies \
and is charged a whole node | set cluster.cpu_partition to a partition of small nodes
ok process tracking | proctrack/cgroup
ok accounting | `sacct` shows how jobs ended
warn lost nodes | never noticed (SlurmdTimeout=0) | the other nodes of a run wait for a lost one \
for cluster.step_timeout_s | lower cluster.step_timeout_s to a few minutes
"""

ODD = """\
ok version | SLURM 25.05.1, cluster east
warn sacctmgr show | no answer: it is not installed | account, QOS and their limits are unknown | \
ask the administrators which account to use; set cluster.account
ok partition | all: 6 nodes, 2 x GPU and 64 CPUs per node, 3 idle now
warn mixed GPUs | partition all has nodes with 1 x GPU and 2 x GPU and 7 x 1g.5gb | a job may get \
both kinds: it runs at the pace of the slower one, or fails | set cluster.constraint (`sinfo -o \
'%f %G'` lists features)
warn preemption | jobs of partition vip suspend those of all (PreemptMode=SUSPEND) | a suspended \
run keeps its GPU memory, and its collectives time out | use another partition or QOS, or raise \
cluster.step_timeout_s
ok requeue | jobs are requeued after lost nodes and preemption
ok KillWait | 30 s between SIGTERM and SIGKILL
ok time limit | none on all
ok MaxArraySize | sweeps of up to 1,000 runs
ok SelectType | select/cons_tres, CR_CORE_MEMORY
warn memory | jobs that ask for none get 2,048 MiB per node | ranks are killed while they load a \
model | set cluster.memory_gib=0 (all of the node), as the cluster file does
warn process tracking | proctrack/pgid | processes of a killed job may survive and hold GPU \
memory | if a GPU is full without a job, report the node; set cluster.exclude
warn GPU isolation | TaskPlugin=task/affinity: a job sees all GPUs of its node | another job's \
process may take memory of your GPUs | request all GPUs of a node (cluster.gpus_per_node)
warn accounting | AccountingStorageType=none: `sacct` shows nothing | `ftdist status` cannot show \
how a job ended that left no record | read the job's log (`ftdist logs R`)
warn lost nodes | noticed after 30m00s (SlurmdTimeout) | the other nodes of a run wait for a lost \
one for cluster.step_timeout_s | lower cluster.step_timeout_s to a few minutes
warn federation | shared with west | a job may start on another cluster, which may not see these \
files | ask the administrators how to keep jobs on this cluster, and try a short run
"""


def checked(facts: ClusterFacts, wanted: str | None = None) -> list[Finding]:
    return slurm_checks(facts, choose(facts, wanted=wanted))


@pytest.mark.parametrize(
    ("cluster", "expected"), [("slurmlab", LAB), ("gpus", GPUS), ("cpus", CPUS), ("odd", ODD)]
)
def test_every_setting_of_a_captured_cluster_is_judged(cluster: str, expected: str) -> None:
    assert lines(checked(captured(cluster))) == expected.splitlines()


def test_preemption_without_grace_costs_steps() -> None:
    assert named(checked(captured("slurmlab"), "spot"), "preemption") == [
        "warn preemption | jobs of partition high preempt those of spot without grace, then "
        "requeue | steps since the last checkpoint are lost at each preemption | set "
        "checkpoint.every_steps so that a save comes every 10 to 20 minutes"
    ]


@pytest.mark.parametrize(
    ("partition", "found", "consequence"),
    [
        (
            "main",
            "jobs of partition high cancel those of main after 30 s of grace (PreemptMode=CANCEL)",
            "SLURM does not restart a preempted run",
        ),
        (
            "spot",
            "jobs of partition high cancel those of spot without grace (PreemptMode=CANCEL)",
            "SLURM does not restart a preempted run, and steps since its last checkpoint are lost",
        ),
    ],
)
def test_preemption_that_cancels_ends_a_run(partition: str, found: str, consequence: str) -> None:
    facts = captured("slurmlab")
    cancelling = tuple(
        replace(p, settings={**p.settings, "PreemptMode": "CANCEL"}) for p in facts.partitions
    )
    assert named(checked(replace(facts, partitions=cancelling), partition), "preemption") == [
        f"warn preemption | {found} | {consequence} | set checkpoint.every_steps; `ftdist resume "
        "R` continues a run; or use another partition"
    ]


def test_mixed_gpus_name_a_feature_that_tells_them_apart() -> None:
    assert named(checked(captured("gpus"), "preempt"), "mixed GPUs") == [
        "warn mixed GPUs | partition preempt has nodes with 4 x a100 and 8 x h100 | a job may get "
        "both kinds: it runs at the pace of the slower one, or fails | set "
        "cluster.constraint=a100 (`sinfo -o '%f %G'` lists features)"
    ]


def test_a_limit_below_a_whole_node_is_named_with_the_keys() -> None:
    facts = captured("gpus")
    (h100,) = [qos for qos in facts.qos if qos.name == "h100"]
    few = replace(h100, limits={"MaxTRESPU": "cpu=64,gres/gpu:h100=4", "MaxSubmitPU": "1"})
    limited = replace(facts, qos=(few, *(q for q in facts.qos if q.name != "h100")))
    assert named(checked(limited), "GPUs at once") == [
        "warn GPUs at once | at most 4 (MaxTRESPU), and a node has 8 | a job that asks for a whole "
        "node waits without end | set cluster.tasks_per_node=4 and cluster.nodes=1"
    ]
    assert named(checked(limited), "jobs in the queue") == [
        "fail jobs in the queue | at most 1 (MaxSubmitPU) | `ftdist submit` queues 2 jobs, so that "
        "SLURM rejects it | use another QOS or account (cluster.qos, cluster.account)"
    ]


def test_no_partition_for_the_user_is_a_failure() -> None:
    facts = replace(captured("gpus"), partitions=())
    assert named(checked(facts), "partition") == [
        "fail partition | none is up, has usable nodes, and admits your accounts | no job will "
        "start | ask the administrators for an account; `sinfo` lists the partitions"
    ]


def test_a_silent_controller_is_one_failure() -> None:
    facts = ClusterFacts(
        name="",
        version="",
        config={},
        partitions=(),
        unread={"sinfo": "it timed out", "scontrol show config": "it timed out"},
    )
    assert lines(checked(facts)) == [
        "fail controller | no answer: it timed out | no job can be submitted | check SLURM_CONF, "
        "and retry in a minute; `scontrol ping` shows the controller"
    ]


def test_a_refused_command_is_a_warning() -> None:
    facts = replace(captured("gpus"), unread={"scontrol show partition": "Access denied"})
    assert named(checked(facts), "scontrol show partition") == [
        "warn scontrol show partition | no answer: Access denied | what it would show was not "
        "checked | retry in a minute, or ask the administrators"
    ]
