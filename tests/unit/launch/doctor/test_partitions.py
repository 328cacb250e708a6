from dataclasses import replace

import pytest
from ftdist_launch.doctor.partitions import choose, expand, is_allowed, preemption
from ftdist_launch.doctor.slurm_facts import ClusterFacts, PartitionFacts

from tests.support.slurm.captured_clusters import captured


def partition(facts: ClusterFacts, name: str) -> PartitionFacts:
    return next(each for each in facts.partitions if each.name == name)


def with_settings(facts: ClusterFacts, name: str, **settings: str) -> ClusterFacts:
    changed = partition(facts, name)
    changed = replace(changed, settings={**changed.settings, **settings})
    others = [each for each in facts.partitions if each.name != name]
    return replace(facts, partitions=(changed, *others))


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        # The largest partition with GPUs that is not preemptible; preparation goes to cpu.
        ("gpus", ("h100", 8, "cpu", "llm", None)),
        # The default one, although high is never preempted.
        ("slurmlab", ("main", 2, None, None, None)),
        ("cpus", ("batch", 0, None, None, None)),
        ("odd", ("all", 2, None, None, None)),
    ],
)
def test_training_goes_to_the_best_partition_that_the_user_may_use(
    cluster: str, expected: tuple[str, int, str | None, str | None, str | None]
) -> None:
    choice = choose(captured(cluster))
    assert choice is not None
    cpu = choice.cpu_partition
    found = (choice.partition.name, choice.kind.gpu_count, cpu.name if cpu else None)
    assert (*found, choice.account, choice.qos) == expected


def test_a_partition_that_admits_none_of_the_accounts_is_not_chosen() -> None:
    facts = with_settings(captured("gpus"), "h100", AllowAccounts="vision")
    assert not is_allowed(partition(facts, "h100"), facts)
    choice = choose(facts)
    assert choice is not None
    assert choice.partition.name == "a100"
    assert choice.account == "astro"


def test_a_qos_is_named_where_the_usual_one_is_not_admitted() -> None:
    choice = choose(with_settings(captured("gpus"), "h100", AllowQos="h100,urgent"))
    assert choice is not None
    assert (choice.partition.name, choice.account, choice.qos) == ("h100", "llm", "h100")


def test_a_partition_asked_for_is_taken_and_an_unknown_one_is_not() -> None:
    facts = captured("gpus")
    choice = choose(facts, wanted="debug")
    assert choice is not None
    assert choice.partition.name == "debug"
    assert choose(facts, wanted="dbug") is None


def test_nothing_is_chosen_where_all_nodes_are_down() -> None:
    facts = captured("odd")
    only = replace(facts, partitions=(partition(facts, "old"), partition(facts, "vip")))
    assert choose(only) is None


def test_preemption_by_partition_needs_a_higher_tier_on_the_same_nodes() -> None:
    facts = captured("gpus")
    rule = preemption(partition(facts, "preempt"), facts)
    assert (rule.mode, rule.grace_s, rule.by) == (
        "REQUEUE",
        120,
        "jobs of partition a100, h100",
    )
    assert preemption(partition(facts, "a100"), facts).mode == "OFF"  # debug has other nodes
    assert preemption(partition(captured("odd"), "all"), captured("odd")).mode == "SUSPEND"
    assert preemption(partition(captured("cpus"), "batch"), captured("cpus")).mode == "OFF"


def test_preemption_by_qos_follows_the_users_qos() -> None:
    facts = captured("gpus")
    facts = replace(
        facts, config={**facts.config, "PreemptType": "preempt/qos", "PreemptMode": "CANCEL"}
    )
    rule = preemption(partition(facts, "a100"), facts)
    assert (rule.mode, rule.grace_s, rule.by) == ("CANCEL", 0, "jobs of QOS urgent")
    # The partition's own QOS h100 is preempted by none.
    assert preemption(partition(facts, "h100"), facts).mode == "OFF"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("login", ["login"]),
        ("node[1-3]", ["node1", "node2", "node3"]),
        ("n[08-10,12],m1", ["m1", "n08", "n09", "n10", "n12"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
    ],
)
def test_lists_of_nodes_are_expanded(text: str, names: list[str]) -> None:
    assert sorted(expand([text])) == names
