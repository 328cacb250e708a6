"""What `ftdist doctor --nodes N` measures, on ranks that pretend to be nodes of their own."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from ftdist.cli.main import main
from ftdist.dist.collectives import all_gather_single
from ftdist.dist.world import World
from ftdist.doctor import collective_checks, node_speed, ranks
from ftdist.doctor.collective_checks import Member, check_collectives, check_links
from tests.support.ranks import RunRanks

HOSTS = ["a", "b", "c"]


def member(world: World) -> Member:
    collective_checks.ELEMENTS = {"cpu": 3 * 1000}
    collective_checks.LINK_ELEMENTS = {"cpu": 1000}
    return Member(world=world, host=HOSTS[world.rank], device=torch.device("cpu"))


def all_of_it(world: World, folder: str) -> dict[str, Any]:
    """What rank 0 measures, as plain values."""
    ranks.COMPUTE_S, ranks.MEMORY_S = {"cpu": 0.01}, 0.01
    node_speed.DISK_MIB, node_speed.COPY_BYTES = 8, 2**20
    found = ranks.measure(member(world), folder=Path(folder), cache=Path(folder))
    return {
        "ranks": found.ranks,
        "collectives": [(each.name, each.wrong_hosts) for each in found.collectives],
        "links": sorted((each.source, each.target) for each in found.links),
        "good": all(k.gb_s > 0 and k.latency_us > 0 and not k.is_wrong for k in found.links),
        "hosts": [each.host for each in found.nodes],
        "rates": all(n.tflops[0] > 0 and n.memory_gb_s > 0 for n in found.nodes),
        "clocks": [abs(each.clock_offset_s) <= each.clock_error_s + 1e-3 for each in found.nodes],
        "left": sorted(path.name for path in Path(folder).iterdir()),
    }


def damaged_collectives(world: World) -> list[tuple[str, tuple[str, ...]]]:
    """The collectives where rank 1's results are damaged."""
    if world.rank == 1:

        def damage(output: torch.Tensor, part: torch.Tensor) -> None:
            all_gather_single(output, part)
            output[-1] += 1

        vars(collective_checks)["all_gather_single"] = damage
    found = check_collectives(member(world), HOSTS)
    return [(each.name, each.wrong_hosts) for each in found]


def damaged_links(world: World) -> list[tuple[str, str]]:
    """The wrong links where what rank 2 sends is damaged."""
    if world.rank == 2:
        plain = dist.send

        def damage(data: torch.Tensor, target: int) -> None:
            plain(data + 1 if len(data) > 4 else data, target)

        dist.send = damage  # type: ignore[assignment]
    found = check_links(member(world), [0, 1, 2], HOSTS)
    return sorted((link.source, link.target) for link in found if link.is_wrong)


def failing(world: World, folder: str) -> int:
    """The exit code of a rank of two, of which rank 1 fails before it measures."""
    os.environ |= {ranks.RANK: str(world.rank), ranks.RANKS: "2"}
    if world.rank == 1:

        def fail(member: Member, **_: Any) -> Any:
            raise RuntimeError(f"CUDA error on {member.device}:\nuncorrectable ECC error")

        ranks.measure = fail
    return ranks.main([folder, folder])


def test_a_rank_that_fails_leaves_its_reason_and_ends_the_others(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    assert run_ranks(2, failing, str(folder), group=False) == [1, 1]
    errors = sorted(folder.glob("error-*"), key=lambda path: path.stat().st_mtime_ns)
    assert [path.name[:7] for path in errors] == ["error-1", "error-0"]
    assert errors[0].read_text() == "CUDA error on cpu: uncorrectable ECC error"


def test_three_nodes_are_measured_in_every_direction(run_ranks: RunRanks, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    first, *_ = run_ranks(3, all_of_it, str(folder))
    assert first == {
        "ranks": 3,
        "collectives": [("all_reduce", ()), ("all_gather", ()), ("reduce_scatter", ())],
        "links": [("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b")],
        "good": True,
        "hosts": ["a", "b", "c"],
        "rates": True,
        "clocks": [True, True, True],
        "left": [],
    }


def test_a_rank_with_a_wrong_result_names_its_node(run_ranks: RunRanks) -> None:
    for found in run_ranks(3, damaged_collectives):
        assert found == [("all_reduce", ()), ("all_gather", ("b",)), ("reduce_scatter", ())]


def test_data_that_arrives_changed_names_its_sender(run_ranks: RunRanks) -> None:
    assert run_ranks(3, damaged_links)[0] == [("c", "a"), ("c", "b")]


def test_one_machine_without_slurm_is_measured_by_two_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor", "--nodes", "1", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert (fields["exclude"], fields["override"]) == ([], None)
    measured = fields["measurements"]
    assert (measured["ranks"], len(measured["nodes"])) == (2, 1)
    assert {each["name"] for each in measured["collectives"] if each["bus_gb_s"] > 0} == {
        "all_reduce",
        "all_gather",
        "reduce_scatter",
    }
    assert list(tmp_path.iterdir()) == []
