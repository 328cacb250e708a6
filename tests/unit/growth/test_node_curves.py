"""What the mirror of the nodes' metrics reads: files of 64 nodes, of however many."""

import json
from pathlib import Path

from ftdist.observe.metrics_tail import MAX_NODES, _SystemMetrics
from ftdist.rundir import RunDir
from tests.support.counting import count

NODES = 4096


def _write(run: RunDir, *, attempt: int, nodes: int, time: float) -> None:
    folder = run.attempt(attempt)
    folder.mkdir(parents=True, exist_ok=True)
    for node in range(nodes):
        with (folder / f"system-node{node:04d}.jsonl").open("a") as file:
            file.write(json.dumps({"time": time, "cpu_percent": float(node)}) + "\n")


def test_a_poll_opens_files_of_64_nodes(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "r")
    clock = iter((10.0, 20.0))
    mirror = _SystemMetrics(run, clock=lambda: next(clock))
    _write(run, attempt=1, nodes=NODES, time=1.0)
    polls = [count(lambda: mirror.pop_until(5.0)) for _ in range(2)]
    first, second = ([file for file in poll.opened if "system-" in file] for poll in polls)
    assert len(first) == MAX_NODES
    assert first == second
    assert max(poll.lines for poll in polls) < 100 * MAX_NODES


def test_the_last_rows_of_an_attempt_are_read_when_the_next_has_begun(tmp_path: Path) -> None:
    run, now = RunDir(tmp_path / "r"), 0.0
    mirror = _SystemMetrics(run, clock=lambda: now)
    _write(run, attempt=1, nodes=1, time=1.0)
    assert mirror.pop_until(1.0) == {"sys/node0000/cpu_percent": 0.0}
    _write(run, attempt=1, nodes=2, time=2.0)
    _write(run, attempt=2, nodes=3, time=3.0)
    now = 10.0
    assert mirror.pop_until(2.0) == {
        "sys/node0000/cpu_percent": 0.0,
        "sys/node0001/cpu_percent": 1.0,
    }
    _write(run, attempt=1, nodes=1, time=4.0)  # of a node that was lost: no longer read
    now = 20.0
    assert mirror.pop_until(9.0).keys() == {f"sys/node000{node}/cpu_percent" for node in range(3)}
