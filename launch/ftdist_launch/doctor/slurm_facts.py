"""What SLURM says about itself: its settings, partitions, nodes, accounts and QOS.

Only `sinfo` and `scontrol show config` are required; the rest is often restricted or missing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ftdist_launch.doctor.commands import Runner
from ftdist_launch.slurm.sinfo_fields import minutes

UNUSABLE = re.compile(r"\*|^(down|drain|drng|fail|inval|unk|maint|boot|powerup|futr)")
"""States of nodes, as `sinfo` abbreviates them, in which they take no job; `*`: no response."""


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """The GPUs of one type in a node."""

    kind: str
    """Type as SLURM names it; "": none is configured."""

    count: int


@dataclass(frozen=True, kw_only=True)
class NodeKind:
    """The nodes of one kind in a partition."""

    nodes: int
    usable: int
    """Nodes that are neither down nor drained."""

    idle: int
    cpus: int
    """As SLURM counts them: cores, or hardware threads."""

    memory_mib: int
    gpus: tuple[Gpus, ...]
    features: tuple[str, ...]
    names: str
    """As SLURM writes them, such as `node[1-2]`."""

    @property
    def gpu_count(self) -> int:
        """GPUs per node, of all types."""
        return sum(gpus.count for gpus in self.gpus)


@dataclass(frozen=True, kw_only=True)
class PartitionFacts:
    """A partition and its nodes."""

    name: str
    is_default: bool
    is_up: bool
    time_limit_min: int | None
    """None: no limit."""

    kinds: tuple[NodeKind, ...]
    """The most frequent first."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Of `scontrol show partition`; empty: it was refused."""

    @property
    def nodes(self) -> int:
        """Nodes of all kinds."""
        return sum(kind.nodes for kind in self.kinds)

    @property
    def usable(self) -> int:
        """Nodes that are neither down nor drained."""
        return sum(kind.usable for kind in self.kinds)

    @property
    def gpus(self) -> int:
        """GPUs of all nodes."""
        return sum(kind.nodes * kind.gpu_count for kind in self.kinds)


@dataclass(frozen=True, kw_only=True)
class Association:
    """An account that the user may charge."""

    account: str
    partition: str
    """"": any."""

    qos: tuple[str, ...]
    default_qos: str
    limits: Mapping[str, str]
    """MaxJobs, MaxSubmit, MaxWall, MaxTRES, GrpTRES; those that are set."""


@dataclass(frozen=True, kw_only=True)
class Qos:
    """A quality of service."""

    name: str
    grace_s: int
    preempts: tuple[str, ...]
    """QOS whose jobs make way for its jobs."""

    preempt_mode: str
    """"cluster": that of the cluster."""

    limits: Mapping[str, str]
    """MaxWall, MaxTRESPU, MaxJobsPU, MaxSubmitPU; those that are set."""


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """A cluster, as its login node shows it to one user."""

    name: str
    version: str
    config: Mapping[str, str]
    """Of `scontrol show config`, with its cgroup part."""

    partitions: tuple[PartitionFacts, ...]
    associations: tuple[Association, ...] = ()
    default_account: str | None = None
    qos: tuple[Qos, ...] = ()
    siblings: tuple[str, ...] = ()
    """Other clusters of its federation."""

    unread: Mapping[str, str] = field(default_factory=dict)
    """Commands that gave no answer, with the reason."""


_ASSOCIATION = ("MaxJobs", "MaxSubmit", "MaxWall", "MaxTRES", "GrpTRES")
_QOS = ("MaxWall", "MaxTRESPU", "MaxJobsPU", "MaxSubmitPU")

SINFO = (
    *("sinfo", "--local", "--exact", "--noheader"),
    "--format=%P|%a|%l|%D|%c|%m|%G|%f|%t|%N",
)
CONFIG = ("scontrol", "show", "config")
PARTITIONS = ("scontrol", "show", "partition", "--oneliner")
FEDERATION = ("scontrol", "show", "federation")
QOS = (
    "sacctmgr",
    "-nP",
    "show",
    "qos",
    f"format=Name,GraceTime,Preempt,PreemptMode,{','.join(_QOS)}",
)


def associations_command(user: str) -> tuple[str, ...]:
    """The command that lists what accounts a user may charge."""
    columns = f"format=Account,Partition,QOS,DefaultQOS,{','.join(_ASSOCIATION)}"
    return ("sacctmgr", "-nP", "show", "associations", "where", f"user={user}", columns)


def account_command(user: str) -> tuple[str, ...]:
    """The command that names a user's default account."""
    return ("sacctmgr", "-nP", "show", "user", "where", f"name={user}", "format=DefaultAccount")


def read_cluster(run: Runner, *, user: str) -> ClusterFacts:
    """Ask SLURM about the cluster of this login node.

    Args:
        run: runs one command.
        user: whose accounts are read.
    """
    unread: dict[str, str] = {}

    def ask(args: Sequence[str]) -> str:
        output = run(args)
        if output.code:
            unread[" ".join(arg for arg in args[:3] if not arg.startswith("-"))] = output.reason
            return ""
        return output.out

    config = parse_config(ask(CONFIG))
    settings = {s["PartitionName"]: s for s in map(parse_fields, ask(PARTITIONS).splitlines()) if s}
    accounts = ask(account_command(user)).split()
    return ClusterFacts(
        name=config.get("ClusterName", ""),
        version=config.get("SLURM_VERSION", ""),
        config=config,
        partitions=tuple(parse_partitions(ask(SINFO), settings=settings)),
        associations=tuple(parse_associations(ask(associations_command(user)))),
        default_account=accounts[0] if accounts else None,
        qos=tuple(parse_qos(ask(QOS))),
        siblings=tuple(re.findall(r"Sibling:\s+([^\s:]+)", ask(FEDERATION))),
        unread=unread,
    )


def parse_config(text: str) -> dict[str, str]:
    """The lines `Key = value` of `scontrol show config`, its cgroup part included."""
    pairs = re.findall(r"^(\S+)\s*= ?(.*?)\s*$", text, flags=re.MULTILINE)
    return {name: "" if value == "(null)" else value for name, value in pairs}


def parse_fields(line: str) -> dict[str, str]:
    """The words `Key=value` of one line of `scontrol show ... --oneliner`."""
    return dict(re.findall(r"(\S+?)=(\S*)", line))


def parse_gpus(gres: str) -> tuple[Gpus, ...]:
    """GPUs of a node, from such as `gpu:a100:4(S:0-1),gpu:1g.5gb:7,nvme:1`."""
    found = []
    for item in re.sub(r"\([^)]*\)", "", gres).split(","):
        name, *rest = item.split(":")
        if name == "gpu" and rest:
            *kind, count = rest
            if count.isdigit():
                found.append(Gpus(kind=":".join(kind), count=int(count)))
            else:  # a type alone means one
                found.append(Gpus(kind=count, count=1))
        elif name == "gpu":
            found.append(Gpus(kind="", count=1))
    return tuple(found)


def parse_partitions(
    text: str, *, settings: Mapping[str, Mapping[str, str]]
) -> Iterator[PartitionFacts]:
    """The partitions of `SINFO`, one line per partition, kind and state of nodes."""
    lines: dict[str, list[list[str]]] = {}
    for cells in (line.strip().split("|") for line in text.splitlines()):
        if len(cells) == 10:
            lines.setdefault(cells[0], []).append(cells)
    for title, rows in lines.items():
        name = title.rstrip("*")
        kinds: dict[tuple[str, ...], list[list[str]]] = {}
        for row in rows:
            kinds.setdefault(tuple(row[4:8]), []).append(row)
        merged = [_node_kind(each) for each in kinds.values()]
        yield PartitionFacts(
            name=name,
            is_default=title.endswith("*"),
            is_up=rows[0][1] == "up",
            time_limit_min=minutes(rows[0][2]),
            kinds=tuple(sorted(merged, key=lambda kind: (-kind.nodes, -kind.gpu_count))),
            settings=settings.get(name, {}),
        )


def _node_kind(rows: Sequence[Sequence[str]]) -> NodeKind:
    _, _, _, _, cpus, memory, gres, features, _, _ = rows[0]
    return NodeKind(
        nodes=sum(int(row[3]) for row in rows),
        usable=sum(int(row[3]) for row in rows if not UNUSABLE.search(row[8])),
        idle=sum(int(row[3]) for row in rows if re.fullmatch(r"idle[~#%]?", row[8])),
        cpus=int(cpus.rstrip("+")),
        memory_mib=int(memory.rstrip("+")),
        gpus=parse_gpus(gres),
        features=() if features == "(null)" else tuple(features.split(",")),
        names=",".join(row[9] for row in rows),
    )


def parse_associations(text: str) -> Iterator[Association]:
    """The lines of `associations_command`."""
    for line in text.splitlines():
        cells = line.strip().split("|")
        if len(cells) == 4 + len(_ASSOCIATION):
            account, partition, qos, default, *limits = cells
            yield Association(
                account=account,
                partition=partition,
                qos=tuple(filter(None, qos.split(","))),
                default_qos=default,
                limits=_limits(_ASSOCIATION, limits),
            )


def parse_qos(text: str) -> Iterator[Qos]:
    """The lines of `QOS`."""
    for line in text.splitlines():
        cells = line.strip().split("|")
        if len(cells) == 4 + len(_QOS):
            name, grace, preempts, mode, *limits = cells
            yield Qos(
                name=name,
                grace_s=seconds(grace),
                preempts=tuple(filter(None, preempts.split(","))),
                preempt_mode=mode or "cluster",
                limits=_limits(_QOS, limits),
            )


def seconds(text: str) -> int:
    """Seconds of a duration such as `30`, `30 sec`, `00:00:30`, `1-00:00:00`; "": 0."""
    days, _, clock = text.replace("sec", "").strip().rpartition("-")
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(part or 0)
    return int(days or 0) * 86_400 + total


def _limits(names: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in zip(names, values, strict=True) if value}
