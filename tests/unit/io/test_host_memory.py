"""The memory that may still be taken is the least of what machine and cgroups leave."""

import math
from pathlib import Path

import pytest

from ftdist.io.host_memory import available_memory


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """100 KiB available; a job of at most 80,000 bytes with a step of at most 60,000 in it."""
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:     100 kB\n")
    (tmp_path / "cgroup").write_text("0::/job/step\n")
    for name, limit, current, files in (("job", "80000", 50000, 5000), ("job/step", "max", 1, 0)):
        folder = tmp_path / "cgroups" / name
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{current}\n")
        (folder / "memory.stat").write_text(f"anon 7\ninactive_file {files}\n")
    return tmp_path


def available(machine: Path, **environment: str) -> float:
    return available_memory(
        meminfo=machine / "meminfo",
        own_cgroup=machine / "cgroup",
        cgroups=machine / "cgroups",
        environment=environment,
    )


def test_a_cgroup_above_limits_and_its_caches_can_be_reclaimed(machine: Path) -> None:
    assert available(machine) == 80_000 - 50_000 + 5_000


def test_the_limit_of_a_container_is_in_the_root_of_its_cgroups(machine: Path) -> None:
    (machine / "cgroup").write_text("0::/\n")
    root = machine / "cgroups"
    (root / "memory.max").write_text("40000\n")
    (root / "memory.current").write_text("30000\n")
    (root / "memory.stat").write_text("inactive_file 1000\n")
    assert available(machine) == 40_000 - 30_000 + 1_000


@pytest.mark.parametrize("name", ["/slurm/job_7", "/docker/name-on-the-host"])
def test_limits_of_cgroups_version_1_are_read(machine: Path, name: str) -> None:
    """Of a job, and of a container, whose name on the host has no folder in it."""
    (machine / "cgroup").write_text(f"5:cpu,cpuacct:/other\n4:memory:{name}\n0::/\n")
    folder = machine / "cgroups" / "memory" / ("slurm" if "slurm" in name else "")
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("70000\n")
    (folder / "memory.usage_in_bytes").write_text("20000\n")
    (folder / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 2000\n")
    assert available(machine) == 70_000 - 20_000 + 2_000


def test_what_slurm_grants_on_a_node_is_an_upper_bound(machine: Path) -> None:
    (machine / "meminfo").write_text("MemAvailable: 9000 kB\n")
    (machine / "cgroup").write_text("")
    assert available(machine, SLURM_MEM_PER_NODE="2") == 2 * 2**20
    assert available(machine, SLURM_MEM_PER_NODE="0") == 9000 * 1024


def test_without_cgroups_the_machine_limits(machine: Path) -> None:
    (machine / "cgroup").write_text("4:memory:/old\n")
    assert available(machine) == 102_400


def test_where_nothing_is_known_there_is_no_limit(tmp_path: Path) -> None:
    assert available(tmp_path) == math.inf


def test_this_machine_has_some_memory() -> None:
    assert 0 < available_memory() < math.inf
