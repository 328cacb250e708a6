"""What the reports of compute nodes mean for a run."""

from collections.abc import Callable, Iterator, Sequence

from ftdist.doctor.node_report import NodeReport
from ftdist_launch.doctor.finding import Finding
from ftdist_launch.doctor.gpu_checks import NODES, Expected, cuda_findings, health_findings, names
from ftdist_launch.doctor.machine_checks import limit_findings

SHM_GIB = 1.0
"""NCCL and data workers share memory between the processes of a node through /dev/shm."""

TMP_GIB = 5.0
SKEW_S = 2.0
MEMLOCK_GIB = 1.0


def node_checks(reports: Sequence[NodeReport], expected: Expected) -> list[Finding]:
    """The findings of all checks, in the order of the output."""
    found = list(_visible(reports, expected))
    if reports:
        for check in _CHECKS:
            found += check(reports, expected)
    return found


def _visible(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:
    """Nodes that left no report, or did not see the login node's file."""
    if not expected.cluster:
        return
    missing = sorted(set(expected.hosts) - {report.host for report in reports})
    if missing:
        yield NODES.fail(
            "shared folder",
            f"{names(missing)} wrote no report to {expected.folder}",
            consequence="jobs there find neither the run nor the Python environment",
            remedy="keep both in a folder that all nodes see; else set cluster.exclude="
            f"{','.join(missing)}",
        )
    stale = [report.host for report in reports if report.token != expected.token]
    if stale:
        yield NODES.fail(
            "shared folder",
            f"{names(stale)} did not see a file written before the job started",
            consequence="ranks read old or missing files",
            remedy="ask for a mount without stale caches (nfs: actimeo, lookupcache=none)",
        )
    unlocked = [report.host for report in reports if not report.lock_held]
    if reports and not missing and not stale:
        yield NODES.ok("shared folder", f"{_count(reports)} saw the same files")
    if unlocked:
        yield NODES.warn(
            "shared locks",
            f"{names(unlocked)} did not see a lock of this machine",
            consequence="ftdist then recognizes its other processes by the name in the lock file",
            remedy="start commands on one run from one machine",
        )


def _versions(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:
    broken = [report for report in reports if report.torch_error]
    if broken:
        yield NODES.fail(
            "torch",
            f"cannot be imported on {names(r.host for r in broken)}: {broken[0].torch_error}",
            consequence="no job runs there",
            remedy="repair the environment: `make .venv`, or set cluster.python",
        )
    for name, value in (
        ("Python", lambda r: r.python),
        ("torch", lambda r: r.torch),
        ("driver", lambda r: r.gpus[0].driver if r.gpus else None),
    ):
        yield from _same(name, reports, value, cluster=expected.cluster)


def _same(
    name: str,
    reports: Sequence[NodeReport],
    value: Callable[[NodeReport], str | None],
    *,
    cluster: bool,
) -> Iterator[Finding]:
    """Whether a version is the same on all nodes."""
    found = {report.host: value(report) for report in reports}
    values = sorted({each for each in found.values() if each is not None})
    if len(values) > 1:
        groups = [
            f"{each} on {names(host for host, v in found.items() if v == each)}" for each in values
        ]
        yield NODES.warn(
            name,
            "; ".join(groups),
            consequence="ranks with different versions may hang or compute different numbers",
            remedy="exclude the nodes that differ (cluster.exclude), and report them",
        )
    elif values and name == "torch" and reports[0].torch_error is None:
        cuda = reports[0].cuda
        nccl = f", NCCL {reports[0].nccl}" if reports[0].nccl else ""
        yield NODES.ok(name, f"{values[0]}, {f'CUDA {cuda}' if cuda else 'for CPUs'}{nccl}")
    elif values and (cluster or name == "driver"):
        yield NODES.ok(name, values[0])


def _sizes(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:  # noqa: ARG001
    small = [r for r in reports if r.shm_gib < SHM_GIB]
    if small:
        yield NODES.warn(
            "/dev/shm",
            f"{small[0].shm_gib * 1024:.0f} MiB on {names(r.host for r in small)}",
            consequence="NCCL and data workers fail: 'No space left on device', bus errors",
            remedy="in a container: a larger --shm-size; else ask for a larger /dev/shm",
        )
    else:
        least = min(r.shm_gib for r in reports)
        yield NODES.ok("/dev/shm", f"{least:,.0f} GiB")
    unwritable = [r for r in reports if r.cache_free_gib is None]
    if unwritable:
        yield NODES.fail(
            "local disk",
            f"{unwritable[0].cache_dir} is not writable on {names(r.host for r in unwritable)}",
            consequence="kernels compiled at run time cannot be stored",
            remedy="set cluster.local_cache_dir to a folder on each node's own disk",
        )
        return
    full = [r for r in reports if (r.cache_free_gib or 0) < TMP_GIB]
    least = min(r.cache_free_gib or 0 for r in reports)
    if full:
        yield NODES.warn(
            "local disk",
            f"{least:.1f} GiB free in {full[0].cache_dir} on {names(r.host for r in full)}",
            consequence="kernels compiled at run time may not fit",
            remedy="set cluster.local_cache_dir to another local disk",
        )
    else:
        yield NODES.ok("local disk", f"{least:,.0f} GiB free in {reports[0].cache_dir}")


def _limits(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:
    """Limits on open files and processes; those of this machine are checked elsewhere."""
    if not expected.cluster:
        return
    lowest: dict[str, int | None] = {}
    for name in ("nofile", "nproc"):
        values = [report.limits.get(name) for report in reports]
        lowest[name] = min((value for value in values if value is not None), default=None)
    yield from limit_findings(NODES, lowest)


def _clocks(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:
    """Clocks outside the time between the start and the end of the job, by this machine's clock."""
    if not expected.cluster:
        return
    off = [(r.host, r.time_s - expected.ended_s) for r in reports if r.time_s > expected.ended_s]
    off += [
        (r.host, r.arrived_s - expected.started_s)
        for r in reports
        if r.arrived_s < expected.started_s
    ]
    wrong = [(host, skew) for host, skew in off if abs(skew) > SKEW_S]
    for host, skew in wrong:
        yield NODES.warn(
            "clock",
            f"{host} is at least {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this "
            "machine",
            consequence="merged logs are out of order; above 300 s munge rejects all messages",
            remedy="report the node: its time service (chrony, ntpd) does not work",
        )
    if not wrong:
        yield NODES.ok("clock", f"within {SKEW_S:.0f} s of this machine, as far as seen")


def _network(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:
    if not expected.cluster:
        return
    loopback = [r for r in reports if r.default_interface in (None, "lo")]
    found = sorted({name for report in reports for name in report.interfaces})
    if loopback and len(reports) > 0:
        first = next((n for n in found if n.startswith("ib")), found[0] if found else "")
        yield NODES.warn(
            "network",
            f"the name of {names(r.host for r in loopback)} does not resolve to its address",
            consequence="ranks listen on loopback, and those of other nodes do not find them",
            remedy=f"set cluster.network_interface={first or 'NAME'} (`ip addr` lists the names)",
        )
    else:
        yield NODES.ok("network", ", ".join(interface_words(reports[0])) or "no interface is up")
    short = [
        r
        for r in reports
        if r.infiniband
        and r.limits.get("memlock") is not None
        and (r.limits["memlock"] or 0) < MEMLOCK_GIB * 2**30
    ]
    if short:
        limit = (short[0].limits["memlock"] or 0) // 1024
        yield NODES.warn(
            "ulimit -l",
            f"{limit:,} KiB of locked memory on {names(r.host for r in short)}",
            consequence="NCCL cannot register memory for InfiniBand, and fails or is slow",
            remedy="ask for LimitMEMLOCK=infinity in slurmd's service",
        )


def interface_words(report: NodeReport) -> list[str]:
    """The interfaces of a node, each with its speed, and its RDMA devices."""
    words = [
        f"{name} {speed // 1000} Gbit/s" if speed >= 1000 else name
        for name, speed in report.interfaces.items()
    ]
    return words + ([f"RDMA {', '.join(report.infiniband)}"] if report.infiniband else [])


def network_interface(reports: Sequence[NodeReport]) -> str | None:
    """The interface that ranks should use; None: the default one works.

    It is InfiniBand's, if all nodes have one, or any common one where a node's name is wrong.
    """
    common = sorted(set.intersection(*(set(r.interfaces) for r in reports))) if reports else []
    fast = [name for name in common if name.startswith("ib")]
    if fast:
        return fast[0]
    if common and any(r.default_interface in (None, "lo") for r in reports):
        return common[0]
    return None


def _count(reports: Sequence[NodeReport]) -> str:
    return "the node" if len(reports) == 1 else f"{len(reports)} nodes"


_CHECKS: tuple[Callable[[Sequence[NodeReport], Expected], Iterator[Finding]], ...] = (
    _versions,
    cuda_findings,
    health_findings,
    _sizes,
    _limits,
    _clocks,
    _network,
)
