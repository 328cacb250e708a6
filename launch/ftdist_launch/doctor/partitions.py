"""Which partition a user should train on, and by what rules jobs there are preempted."""

from collections.abc import Iterable
from dataclasses import dataclass

from ftdist_launch.doctor.slurm_facts import ClusterFacts, NodeKind, PartitionFacts, seconds

USEFUL_MIN = 240
"""Partitions with a shorter limit, in minutes, are for tests and interactive work."""


@dataclass(frozen=True, kw_only=True)
class Preemption:
    """What happens to a job of a partition that must make way."""

    mode: str
    """OFF, REQUEUE, CANCEL or SUSPEND."""

    grace_s: int
    """Seconds between the notice and the end."""

    by: str
    """Who preempts, in words."""


@dataclass(frozen=True, kw_only=True)
class PartitionChoice:
    """Where to train."""

    partition: PartitionFacts
    kind: NodeKind
    """The nodes that a job gets."""

    cpu_partition: PartitionFacts | None
    """For jobs without GPUs; None: the same one."""

    account: str | None
    """None: the default one, or there are none."""

    qos: str | None
    """None: the default one."""


def is_allowed(partition: PartitionFacts, facts: ClusterFacts) -> bool:
    """Whether an account and a QOS of the user may use a partition."""
    settings = partition.settings
    if settings.get("RootOnly") == "YES":
        return False
    if not facts.associations:
        return True
    return any(
        _in(settings.get("AllowAccounts"), [each.account])
        and each.account not in settings.get("DenyAccounts", "").split(",")
        and (not each.qos or _in(settings.get("AllowQos"), each.qos))
        and each.partition in ("", partition.name)
        for each in facts.associations
    )


def choose(facts: ClusterFacts, *, wanted: str | None = None) -> PartitionChoice | None:
    """The partition to train on: the one asked for, else the default or largest one with GPUs.

    None: there is none that the user may use.
    """
    allowed = [p for p in facts.partitions if p.is_up and p.usable and is_allowed(p, facts)]
    named = [p for p in facts.partitions if p.name == wanted]
    candidates = named or allowed
    if not candidates or (wanted and not named):
        return None
    best = max(candidates, key=lambda partition: _rank(partition, facts))
    with_gpus = [kind for kind in best.kinds if kind.gpu_count]
    without = [p for p in allowed if not p.gpus]
    cpu = max(without, key=lambda p: _rank(p, facts)) if best.gpus and without else None
    account, qos = _account_and_qos(best, facts)
    return PartitionChoice(
        partition=best,
        kind=(with_gpus or list(best.kinds))[0],
        cpu_partition=cpu,
        account=account,
        qos=qos,
    )


def _rank(partition: PartitionFacts, facts: ClusterFacts) -> tuple[int, ...]:
    limit, rule = partition.time_limit_min, preemption(partition, facts)
    return (
        int(partition.gpus > 0),
        int(limit is None or limit >= USEFUL_MIN),
        int(rule.mode == "OFF" or (rule.mode == "REQUEUE" and rule.grace_s > 0)),
        int(partition.is_default),
        int(rule.mode == "OFF"),
        partition.gpus,
        partition.usable,
    )


def _account_and_qos(
    partition: PartitionFacts, facts: ClusterFacts
) -> tuple[str | None, str | None]:
    """What must be named for a job in a partition; None where the default works."""
    settings = partition.settings
    fits = [
        each
        for each in facts.associations
        if each.partition in ("", partition.name)
        and _in(settings.get("AllowAccounts"), [each.account])
        and each.account not in settings.get("DenyAccounts", "").split(",")
    ]
    if not fits:
        return None, None
    default = [each for each in fits if each.account == facts.default_account]
    chosen = (default or fits)[0]
    account = None if default and len(facts.associations) == 1 else chosen.account
    allowed = [qos for qos in chosen.qos if _in(settings.get("AllowQos"), [qos])]
    usual = chosen.default_qos or ("normal" if "normal" in chosen.qos else "")
    qos = None if not allowed or usual in ("", *allowed) else allowed[0]
    return account, qos


def preemption(partition: PartitionFacts, facts: ClusterFacts) -> Preemption:
    """The rules under which a job of a partition is preempted."""
    kind = facts.config.get("PreemptType", "preempt/none")
    general = _mode(facts.config.get("PreemptMode", "OFF"))
    if kind == "preempt/partition_prio":
        higher = [p.name for p in facts.partitions if _tier(p) > _tier(partition)]
        shared = [name for name in higher if _share_nodes(partition, name, facts)]
        mode = _mode(partition.settings.get("PreemptMode", general))
        if shared and mode != "OFF":
            grace_s = seconds(partition.settings.get("GraceTime", "0"))
            by = f"jobs of partition {', '.join(shared)}"
            return Preemption(mode=mode, grace_s=grace_s, by=by)
    if kind == "preempt/qos":
        return _by_qos(partition, facts, general=general)
    return Preemption(mode="OFF", grace_s=0, by="")


def _by_qos(partition: PartitionFacts, facts: ClusterFacts, *, general: str) -> Preemption:
    """The rules for the QOS that a job gets: the partition's own one, else the user's default."""
    own = partition.settings.get("QoS", "N/A")
    usual = next((each.default_qos for each in facts.associations if each.default_qos), "normal")
    name = usual if own in ("N/A", "") else own
    qos = next((each for each in facts.qos if each.name == name), None)
    by = [each.name for each in facts.qos if name in each.preempts]
    if qos is None or not by:
        return Preemption(mode="OFF", grace_s=0, by="")
    mode = general if qos.preempt_mode == "cluster" else _mode(qos.preempt_mode)
    return Preemption(mode=mode, grace_s=qos.grace_s, by=f"jobs of QOS {', '.join(by)}")


def _mode(text: str) -> str:
    """The mode without GANG, which only time-slices."""
    modes = [mode for mode in text.upper().split(",") if mode not in ("GANG", "WITHIN")]
    return modes[0] if modes else "OFF"


def _tier(partition: PartitionFacts) -> int:
    return int(partition.settings.get("PriorityTier", "1"))


def _share_nodes(partition: PartitionFacts, other: str, facts: ClusterFacts) -> bool:
    """Whether two partitions have a node in common, as far as their lists of names tell."""
    (found,) = [p for p in facts.partitions if p.name == other]
    return bool(
        expand(kind.names for kind in partition.kinds) & expand(k.names for k in found.kinds)
    )


def expand(lists: Iterable[str]) -> frozenset[str]:
    """The nodes of lists such as `node[1-2,7],gpu03`."""
    names = set()
    for text in lists:
        for item in _split(text):
            names |= set(_names(item))
    return frozenset(names)


def _split(text: str) -> list[str]:
    """The parts between commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part]


def _names(item: str) -> list[str]:
    before, bracket, rest = item.partition("[")
    if not bracket:
        return [item]
    inside, _, after = rest.partition("]")
    numbers: list[str] = []
    for part in inside.split(","):
        first, dash, last = part.partition("-")
        if dash:
            numbers += [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
        else:
            numbers.append(first)
    return [before + number + tail for number in numbers for tail in _names(after or "")]


def _in(allowed: str | None, names: Iterable[str]) -> bool:
    """Whether a list of SLURM's, such as ALL or a,b, has one of the names."""
    return allowed in (None, "", "ALL") or bool(set(str(allowed).split(",")) & set(names))
