from collections.abc import Mapping, Sequence
from typing import Any

from ftdist_launch.doctor.slow_nodes import measured_findings

from ftdist.doctor.measurements import Collective, Link, Measurements, NodeSpeed
from tests.support.findings import lines

FAST, SLOW = 10.0, 1.0


def node(host: str, **changes: Any) -> NodeSpeed:
    usual: dict[str, Any] = {
        "host": host,
        "tflops": (400.0, 400.0),
        "memory_gb_s": 20.0,
        "shared_mib_s": 1000.0,
        "local_mib_s": 2000.0,
        "clock_offset_s": 0.0,
        "clock_error_s": 0.0001,
    }
    return NodeSpeed(**usual | changes)


def links(hosts: Sequence[str], rates: Mapping[tuple[str, str], float]) -> tuple[Link, ...]:
    """Every direction between two nodes, at 10 GB/s and 20 us unless `rates` has another rate."""
    return tuple(
        Link(source=a, target=b, gb_s=rates.get((a, b), FAST), latency_us=20.0, is_wrong=False)
        for a in hosts
        for b in hosts
        if a != b
    )


def measured(*nodes: NodeSpeed, device: str = "cuda", **changes: Any) -> Measurements:
    hosts = [each.host for each in nodes]
    right = Collective(name="all_reduce", wrong_hosts=(), mib=512, bus_gb_s=180.25)
    usual: dict[str, Any] = {
        "device": device,
        "ranks": 2 * len(nodes),
        "collectives": (right,),
        "links": links(hosts, {}),
        "nodes": nodes,
        "reports": (),
    }
    return Measurements(**usual | changes)


def judged(all_of_it: Measurements) -> tuple[list[str], tuple[str, ...]]:
    findings, exclude = measured_findings(all_of_it)
    return lines(findings), exclude


def problems(all_of_it: Measurements) -> list[str]:
    return [line for line in judged(all_of_it)[0] if not line.startswith("ok")]


def test_equal_nodes_are_ok_and_none_is_left_out() -> None:
    assert judged(measured(node("a"), node("b"), node("c", clock_offset_s=-0.0021))) == (
        [
            "ok all_reduce | right; 180.25 GB/s (512 MiB, 6 ranks)",
            "ok compute | median 400 TFLOP/s per GPU (400 to 400)",
            "ok memory | median 20 GB/s in host memory (20 to 20)",
            "ok shared disk | median 1,000 MiB/s to the shared folder (1,000 to 1,000)",
            "ok local disk speed | median 2,000 MiB/s to its own disk (2,000 to 2,000)",
            "ok network | median 10 GB/s over its best link (10 to 10)",
            "ok latency | median 20 us",
            "ok clock | within 2.1 ms of a (error 0.1 ms)",
        ],
        (),
    )


def test_one_machine_is_described_without_a_comparison() -> None:
    alone = measured(node("a", tflops=(0.02, 0.03), local_mib_s=None), device="cpu")
    assert judged(alone) == (
        [
            "ok all_reduce | right; 180.25 GB/s (512 MiB, 2 ranks)",
            "ok compute | median 25 GFLOP/s per rank",
            "ok memory | median 20 GB/s in host memory",
            "ok shared disk | median 1,000 MiB/s to the shared folder",
        ],
        (),
    )


def test_one_slow_gpu_names_itself_and_its_node() -> None:
    # Median of 400, 400, 400, 400, 400, 240; 240 is 60 % of it.
    slow = measured(node("a"), node("b"), node("c", tflops=(400.0, 240.0)))
    assert judged(slow)[1] == ("c",)
    assert problems(slow) == [
        "warn compute | c (GPU 1) is slow: 240 TFLOP/s per GPU, 60% of the median 400 | all ranks "
        "wait for the slowest in every step | set cluster.exclude=c, and report the node"
    ]


def test_a_slow_node_of_two_is_compared_with_their_mean() -> None:
    # Ranks at 30, 30, 10, 10 GFLOP/s: median 20; 10 is half of it, 30 is above.
    nodes = (node("a", tflops=(0.03, 0.03)), node("b", tflops=(0.01, 0.01)))
    slow = measured(*nodes, device="cpu")
    assert judged(slow)[1] == ("b",)
    assert problems(slow) == [
        "warn compute | b is slow: 10 GFLOP/s per rank, 50% of the median 20 | all ranks wait for "
        "the slowest in every step | set cluster.exclude=b, and report the node"
    ]


def test_small_differences_are_noise() -> None:
    # 0.85 of the median for compute, 0.75 for memory and links, 0.6 for disks.
    mild = node(
        "c", tflops=(340.0, 340.0), memory_gb_s=15.0, shared_mib_s=600.0, local_mib_s=1200.0
    )
    rates = {("a", "c"): 7.5, ("c", "a"): 7.5, ("b", "c"): 7.5, ("c", "b"): 7.5}
    nodes = (node("a"), node("b"), mild)
    assert judged(measured(*nodes, links=links("abc", rates)))[1] == ()


def test_slow_memory_and_disks_are_named() -> None:
    slow = measured(
        node("a", memory_gb_s=8.0), node("b", shared_mib_s=250.0), node("c", local_mib_s=100.0)
    )
    assert judged(slow)[1] == ("a", "b", "c")
    assert problems(slow) == [
        "warn memory | a is slow: 8 GB/s in host memory, 40% of the median 20 | loading and "
        "offloading are slower there | set cluster.exclude=a, and report the node",
        "warn shared disk | b is slow: 250 MiB/s to the shared folder, 25% of the median 1,000 | "
        "all ranks wait for it at every checkpoint | set cluster.exclude=b, and report the node",
        "warn local disk speed | c is slow: 100 MiB/s to its own disk, 5% of the median 2,000 | "
        "kernels that are compiled at run time load slowly there | set cluster.exclude=c, and "
        "report the node",
    ]


def test_a_node_all_of_whose_links_are_slow_is_named_and_its_partners_are_not() -> None:
    rates = {("a", "c"): 1.0, ("c", "a"): 2.0, ("b", "c"): 1.0, ("c", "b"): 1.0}
    slow = measured(node("a"), node("b"), node("c"), links=links("abc", rates))
    assert judged(slow)[1] == ("c",)
    # Best links out and in: a 10 and 10, b 10 and 10, c 2 and 1; median of the lower ones 10.
    assert problems(slow) == [
        "warn network | c is slow: 1 GB/s over its best link, 10% of the median 10 | every "
        "collective runs at its pace | set cluster.exclude=c, and report the node"
    ]


def test_a_node_that_only_sends_slowly_is_named() -> None:
    rates = {("c", "a"): 1.0, ("c", "b"): 1.5}
    slow = measured(node("a"), node("b"), node("c"), links=links("abc", rates))
    assert judged(slow)[1] == ("c",)


def test_a_single_slow_link_blames_neither_node() -> None:
    slow = measured(
        *(node(host) for host in "abcd"), links=links("abcd", {("a", "b"): 2.0, ("b", "a"): 9.0})
    )
    assert judged(slow)[1] == ()
    assert problems(slow) == [
        "warn link | a to b: 2 GB/s, median 10 | collectives that use this link are slow | set "
        "cluster.exclude=b, or report the link"
    ]


def test_two_nodes_do_not_show_which_of_them_is_slow() -> None:
    slow = measured(node("a"), node("b"), links=links("ab", {("b", "a"): 1.0}))
    assert judged(slow)[1] == ()
    assert problems(slow) == [
        "warn network | b to a: 1 GB/s, back 10 GB/s | collectives run at the pace of the slower "
        "direction | one of the two nodes is slow: --nodes 3 shows which (b sends, a receives)"
    ]
    fine = judged(measured(node("a"), node("b"), links=links("ab", {("b", "a"): 8.0})))[0]
    assert "ok network | b to a: 8 GB/s, back 10 GB/s" in fine
    assert "ok latency | 20 us" in fine


def test_a_node_with_high_latency_is_named() -> None:
    far = tuple(
        Link(source=k.source, target=k.target, gb_s=FAST, latency_us=90.0, is_wrong=False)
        if "c" in (k.source, k.target)
        else k
        for k in links("abc", {})
    )
    slow = measured(node("a"), node("b"), node("c"), links=far)
    assert judged(slow)[1] == ("c",)
    assert problems(slow) == [
        "warn latency | c is slow: 90 us, median 20 us | small collectives run at its pace | set "
        "cluster.exclude=c, and report the node"
    ]


def test_wrong_results_are_failures_that_name_their_nodes() -> None:
    wrong = Collective(name="all_gather", wrong_hosts=("b",), mib=8, bus_gb_s=1.0)
    one = measured(node("a"), node("b"), node("c"), collectives=(wrong,))
    assert judged(one)[1] == ("b",)
    assert problems(one) == [
        "fail all_gather | wrong result on b | gradients are wrong: no run on these nodes can be "
        "trusted | exclude the nodes whose links or GPUs fail below, and report them"
    ]
    everywhere = Collective(name="all_reduce", wrong_hosts=("a", "b", "c"), mib=8, bus_gb_s=1.0)
    damaged = tuple(
        Link(source=k.source, target=k.target, gb_s=FAST, latency_us=20.0, is_wrong=k.source == "c")
        for k in links("abc", {})
    )
    spread = measured(node("a"), node("b"), node("c"), collectives=(everywhere,), links=damaged)
    found, exclude = judged(spread)
    assert exclude == ("c",)  # c to a and c to b: c has two wrong links, the others one
    assert (
        "fail link | data from c arrives changed at a | gradients are wrong | report both nodes; "
        "set cluster.exclude=c,a" in found
    )


def test_a_clock_counts_only_beyond_the_error_of_its_measurement() -> None:
    off = measured(
        node("a"),
        node("b", clock_offset_s=-1.25),
        node("c", clock_offset_s=0.7, clock_error_s=0.3),
    )
    assert problems(off) == [
        "warn clock | b is 1.2 s behind a | merged logs are out of order; above 300 s munge "
        "rejects all messages | report the node: its time service (chrony, ntpd) does not work"
    ]
    (ahead,) = problems(measured(node("a"), node("b", clock_offset_s=2.0)))
    assert ahead.startswith("warn clock | b is 2.0 s ahead of a | ")
