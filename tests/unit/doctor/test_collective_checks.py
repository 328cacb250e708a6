from itertools import combinations
from pathlib import Path

import pytest

from ftdist.doctor.collective_checks import rounds
from ftdist.doctor.measurements import (
    Collective,
    Link,
    Measurements,
    NodeSpeed,
    read_measurements,
    write_measurements,
)
from tests.support.node_reports import report


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 7, 8])
def test_every_pair_of_nodes_meets_once_and_no_node_has_two_partners(nodes: int) -> None:
    schedule = rounds(nodes)
    pairs = [pair for each in schedule for pair in each]
    assert sorted(pairs) == list(combinations(range(nodes), 2))
    for each in schedule:
        busy = [node for pair in each for node in pair]
        assert len(busy) == len(set(busy))
    assert len(schedule) <= nodes + nodes % 2 - 1


def test_measurements_survive_their_file(tmp_path: Path) -> None:
    assert read_measurements(tmp_path) is None
    measured = Measurements(
        device="cpu",
        ranks=2,
        collectives=(Collective(name="all_reduce", wrong_hosts=("b",), mib=8, bus_gb_s=1.5),),
        links=(Link(source="a", target="b", gb_s=1.0, latency_us=9.0, is_wrong=False),),
        nodes=(
            NodeSpeed(
                host="a",
                tflops=(0.1, 0.2),
                memory_gb_s=9.0,
                shared_mib_s=100.0,
                local_mib_s=None,
                clock_offset_s=0.0,
                clock_error_s=0.0,
            ),
        ),
        reports=(report("a", gpus=1),),
    )
    write_measurements(tmp_path, measured)
    assert read_measurements(tmp_path) == measured
