"""Which nodes are slow or wrong, from what all of them measured: relative to the median."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from ftdist.doctor.measurements import Link, Measurements, NodeSpeed
from ftdist_launch.doctor.finding import Area, Finding

MEASURED = Area("measured on the nodes")

SLOW_COMPUTE, SLOW_MEMORY, SLOW_LINK, SLOW_DISK = 0.8, 0.7, 0.7, 0.5
"""Fraction of the median below which a node is slow. With two nodes the median is their mean."""

SLOW_LATENCY = 3.0
"""Multiple of the median latency above which a node is slow."""

ASYMMETRY = 0.5
CLOCK_S = 0.5


def measured_findings(measured: Measurements) -> tuple[list[Finding], tuple[str, ...]]:
    """What the measurements mean, and the nodes to exclude."""
    found = [*_collectives(measured), *_wrong_links(measured.links)]
    bad = _wrong_hosts(measured)
    for rates in (_compute, _memory, _shared, _local):
        findings, slow = rates(measured)
        found += findings
        bad += slow
    findings, slow = _links(measured)
    return [*found, *findings, *_clocks(measured.nodes)], tuple(sorted({*bad, *slow}))


def _collectives(measured: Measurements) -> Iterator[Finding]:
    for each in measured.collectives:
        if each.wrong_hosts:
            yield MEASURED.fail(
                each.name,
                f"wrong result on {', '.join(each.wrong_hosts)}",
                consequence="gradients are wrong: no run on these nodes can be trusted",
                remedy="exclude the nodes whose links or GPUs fail below, and report them",
            )
        else:
            yield MEASURED.ok(
                each.name,
                f"right; {each.bus_gb_s:.2f} GB/s ({each.mib:,.0f} MiB, {measured.ranks} ranks)",
            )


def _wrong_links(links: Sequence[Link]) -> Iterator[Finding]:
    for link in links:
        if link.is_wrong:
            yield MEASURED.fail(
                "link",
                f"data from {link.source} arrives changed at {link.target}",
                consequence="gradients are wrong",
                remedy=f"report both nodes; {_exclude([link.source, link.target])}",
            )


def _wrong_hosts(measured: Measurements) -> list[str]:
    """Nodes with wrong results, unless all have them: then the damage spread over the links.

    Of the nodes of wrong links, those with the most of them are named.
    """
    hosts = {host for each in measured.collectives for host in each.wrong_hosts}
    if len(hosts) == len(measured.nodes):
        hosts = set()
    wrong = Counter(h for k in measured.links if k.is_wrong for h in (k.source, k.target))
    most = max(wrong.values(), default=0)
    return [*hosts, *(host for host, number in wrong.items() if number == most)]


def _compute(measured: Measurements) -> tuple[list[Finding], list[str]]:
    on_gpus = measured.device != "cpu"
    # One slow GPU is enough; on CPUs the ranks of a node share its cores.
    worst: Callable[[Sequence[float]], float] = min if on_gpus else median
    values = {node.host: worst(node.tflops) for node in measured.nodes}
    usual = median([speed for node in measured.nodes for speed in node.tflops])
    unit = "TFLOP/s per GPU" if on_gpus else "GFLOP/s per rank"
    scale = 1 if on_gpus else 1000

    def details(host: str) -> str:
        speeds = next(node.tflops for node in measured.nodes if node.host == host)
        slow = [str(i) for i, each in enumerate(speeds) if each < SLOW_COMPUTE * usual]
        return f" (GPU {', '.join(slow)})" if on_gpus and len(speeds) > 1 else ""

    return _rates(
        "compute",
        {host: value * scale for host, value in values.items()},
        min_ratio=SLOW_COMPUTE,
        unit=unit,
        usual=usual * scale if on_gpus else None,
        consequence="all ranks wait for the slowest in every step",
        details=details,
    )


def _memory(measured: Measurements) -> tuple[list[Finding], list[str]]:
    return _rates(
        "memory",
        {node.host: node.memory_gb_s for node in measured.nodes},
        min_ratio=SLOW_MEMORY,
        unit="GB/s in host memory",
        consequence="loading and offloading are slower there",
    )


def _shared(measured: Measurements) -> tuple[list[Finding], list[str]]:
    return _rates(
        "shared disk",
        {node.host: node.shared_mib_s for node in measured.nodes},
        min_ratio=SLOW_DISK,
        unit="MiB/s to the shared folder",
        consequence="all ranks wait for it at every checkpoint",
    )


def _local(measured: Measurements) -> tuple[list[Finding], list[str]]:
    values = {n.host: n.local_mib_s for n in measured.nodes if n.local_mib_s is not None}
    if not values:
        return [], []
    return _rates(
        "local disk speed",
        values,
        min_ratio=SLOW_DISK,
        unit="MiB/s to its own disk",
        consequence="kernels that are compiled at run time load slowly there",
    )


def _rates(
    name: str,
    values: Mapping[str, float],
    *,
    min_ratio: float,
    unit: str,
    consequence: str,
    usual: float | None = None,
    details: Callable[[str], str] = lambda _: "",
) -> tuple[list[Finding], list[str]]:
    """Nodes whose rate is below a fraction of the median.

    Args:
        name: of the check.
        values: rate per node; higher is better.
        min_ratio: that fraction.
        unit: of the rates.
        consequence: of a slow node.
        usual: the median to compare with; None: that of `values`.
        details: more words about a node.
    """
    middle = median(values.values()) if usual is None else usual
    slow = [
        host for host, value in values.items() if value < min_ratio * middle and len(values) > 1
    ]
    if not slow:
        return [MEASURED.ok(name, f"median {_number(middle)} {unit}{_range(values)}")], []
    return [
        MEASURED.warn(
            name,
            f"{host}{details(host)} is slow: {_number(values[host])} {unit}, "
            f"{values[host] / middle:.0%} of the median {_number(middle)}",
            consequence=consequence,
            remedy=f"{_exclude([host])}, and report the node",
        )
        for host in slow
    ], slow


def _links(measured: Measurements) -> tuple[list[Finding], list[str]]:
    """Slow nodes, by the best link of each in its slower direction; then other slow links."""
    links, hosts = measured.links, [node.host for node in measured.nodes]
    if not links:
        return [], []
    if len(hosts) == 2:
        return _two_nodes(links), []
    best = {
        host: min(
            max(link.gb_s for link in links if link.source == host),
            max(link.gb_s for link in links if link.target == host),
        )
        for host in hosts
    }
    findings, slow = _rates(
        "network",
        best,
        min_ratio=SLOW_LINK,
        unit="GB/s over its best link",
        consequence="every collective runs at its pace",
    )
    quickest = {h: min(k.latency_us for k in links if h in (k.source, k.target)) for h in hosts}
    usual_us = median(quickest.values())
    for host, value in quickest.items():
        if value > SLOW_LATENCY * usual_us and host not in slow:
            slow.append(host)
            findings.append(
                MEASURED.warn(
                    "latency",
                    f"{host} is slow: {value:,.0f} us, median {usual_us:,.0f} us",
                    consequence="small collectives run at its pace",
                    remedy=f"{_exclude([host])}, and report the node",
                )
            )
    usual = median(link.gb_s for link in links)
    for link in links:
        if link.gb_s < ASYMMETRY * usual and not {link.source, link.target} & set(slow):
            findings.append(
                MEASURED.warn(
                    "link",
                    f"{link.source} to {link.target}: {_number(link.gb_s)} GB/s, median "
                    f"{_number(usual)}",
                    consequence="collectives that use this link are slow",
                    remedy=f"{_exclude([link.target])}, or report the link",
                )
            )
    findings.append(MEASURED.ok("latency", f"median {usual_us:,.0f} us"))
    return findings, slow


def _two_nodes(links: Sequence[Link]) -> list[Finding]:
    """The only link, in both directions: two nodes do not show which of them is slow."""
    slower, faster = sorted(links, key=lambda link: link.gb_s)
    words = f"{slower.source} to {slower.target}: {_number(slower.gb_s)} GB/s"
    back = f"back {_number(faster.gb_s)} GB/s"
    latency = MEASURED.ok("latency", f"{slower.latency_us:,.0f} us")
    if slower.gb_s < ASYMMETRY * faster.gb_s:
        one = MEASURED.warn(
            "network",
            f"{words}, {back}",
            consequence="collectives run at the pace of the slower direction",
            remedy=f"one of the two nodes is slow: --nodes 3 shows which ({slower.source} sends, "
            f"{slower.target} receives)",
        )
        return [one, latency]
    return [MEASURED.ok("network", f"{words}, {back}"), latency]


def _clocks(nodes: Sequence[NodeSpeed]) -> Iterator[Finding]:
    """Clocks that differ from that of the first node by more than the measurement's error."""
    off = [n for n in nodes if abs(n.clock_offset_s) - n.clock_error_s > CLOCK_S]
    for node in off:
        direction = "ahead of" if node.clock_offset_s > 0 else "behind"
        yield MEASURED.warn(
            "clock",
            f"{node.host} is {abs(node.clock_offset_s):.1f} s {direction} {nodes[0].host}",
            consequence="merged logs are out of order; above 300 s munge rejects all messages",
            remedy="report the node: its time service (chrony, ntpd) does not work",
        )
    if not off and len(nodes) > 1:
        largest = max(abs(node.clock_offset_s) for node in nodes)
        error = max(node.clock_error_s for node in nodes)
        found = f"within {largest * 1000:.1f} ms of {nodes[0].host} (error {error * 1000:.1f} ms)"
        yield MEASURED.ok("clock", found)


def _exclude(hosts: Sequence[str]) -> str:
    return f"set cluster.exclude={','.join(dict.fromkeys(hosts))}"


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _range(values: Mapping[str, float]) -> str:
    if len(values) < 2:
        return ""
    return f" ({_number(min(values.values()))} to {_number(max(values.values()))})"
