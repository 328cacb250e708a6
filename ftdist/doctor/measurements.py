"""What the ranks of `ftdist doctor --nodes N` measured, as a JSON file. Never loads torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.doctor.node_report import NodeReport, from_fields
from ftdist.io.jsonl import write_whole

RESULT = "measurements.json"

STARTED, ERROR = "started", "error"
"""Files `started-RANK.HOST` with a rank's device, and `error-RANK.HOST` with why it ended."""


@dataclass(frozen=True, kw_only=True)
class Collective:
    """One collective over all ranks."""

    name: str
    """all_reduce, all_gather or reduce_scatter."""

    wrong_hosts: tuple[str, ...]
    """Nodes of ranks that got a wrong result."""

    mib: float
    """Size of the whole tensor."""

    bus_gb_s: float
    """Bus bandwidth as nccl-tests define it, 10^9 bytes per second."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Traffic from one node to another, one rank each."""

    source: str
    target: str
    gb_s: float
    latency_us: float
    """Half a round trip of a few bytes."""

    is_wrong: bool
    """Whether the data arrived changed."""


@dataclass(frozen=True, kw_only=True)
class NodeSpeed:
    """What one node does by itself, while the others do the same."""

    host: str
    tflops: tuple[float, ...]
    """Matrix products of each of its ranks, 10^12 operations per second."""

    memory_gb_s: float
    """Copies in host memory, 10^9 bytes per second."""

    shared_mib_s: float
    """Writes to the shared folder."""

    local_mib_s: float | None
    """Writes to the node's own disk; None: its folder is not writable."""

    clock_offset_s: float
    """Its clock minus that of the first node."""

    clock_error_s: float
    """Largest error of that offset: half a round trip."""


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """All of it."""

    device: str
    """cpu or cuda."""

    ranks: int
    collectives: tuple[Collective, ...]
    links: tuple[Link, ...]
    nodes: tuple[NodeSpeed, ...]
    reports: tuple[NodeReport, ...]


def write_measurements(folder: Path, measured: Measurements) -> None:
    """Write `measurements.json`."""
    write_whole(folder / RESULT, json.dumps(asdict(measured)))


def read_measurements(folder: Path) -> Measurements | None:
    """The measurements in a folder; None: the ranks did not come that far."""
    path = folder / RESULT
    if not path.exists():
        return None
    fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Measurements(
        device=fields["device"],
        ranks=fields["ranks"],
        collectives=tuple(
            Collective(**each | {"wrong_hosts": tuple(each["wrong_hosts"])})
            for each in fields["collectives"]
        ),
        links=tuple(Link(**each) for each in fields["links"]),
        nodes=tuple(
            NodeSpeed(**each | {"tflops": tuple(each["tflops"])}) for each in fields["nodes"]
        ),
        reports=tuple(from_fields(each) for each in fields["reports"]),
    )
