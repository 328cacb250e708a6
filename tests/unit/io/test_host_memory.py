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


def available(machine: Path) -> float:
    return available_memory(
        meminfo=machine / "meminfo", own_cgroup=machine / "cgroup", cgroups=machine / "cgroups"
    )


def test_a_cgroup_above_limits_and_its_caches_can_be_reclaimed(machine: Path) -> None:
    assert available(machine) == 80_000 - 50_000 + 5_000


def test_without_cgroups_the_machine_limits(machine: Path) -> None:
    (machine / "cgroup").write_text("4:memory:/old\n")
    assert available(machine) == 102_400


def test_where_nothing_is_known_there_is_no_limit(tmp_path: Path) -> None:
    assert available(tmp_path) == math.inf


def test_this_machine_has_some_memory() -> None:
    assert 0 < available_memory() < math.inf
