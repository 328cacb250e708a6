from ftdist_launch.doctor.finding import Area
from ftdist_launch.doctor.machine_checks import (
    limit_findings,
    machine_checks,
    python_finding,
    size_findings,
    tmp_finding,
    unlimited,
)

from tests.support.findings import lines

AREA = Area("this machine")


def test_this_machine_is_checked() -> None:
    names = [finding.name for finding in machine_checks(cluster=False)]
    assert names[0] == "Python"
    assert "/tmp" in names
    assert "/tmp" not in [finding.name for finding in machine_checks(cluster=True)]


def test_a_python_outside_a_virtual_environment_is_a_warning() -> None:
    (found,) = lines([python_finding((3, 12, 4), prefix="/usr", base="/usr")])
    assert "3.12.4" in found
    assert found.endswith(
        "/usr: not a virtual environment | an update of the system's packages may break queued "
        "runs | install ftdist in a virtual environment on the shared file system"
    )
    (fine,) = lines([python_finding((3, 12, 4), prefix="/env", base="/usr")])
    assert fine.startswith("ok Python | 3.12.4, ")


def test_low_limits_name_the_line_for_the_shell() -> None:
    assert lines(limit_findings(AREA, {"nofile": 1024, "nproc": 512})) == [
        "warn ulimit -n | at most 1,024 open files | ranks and data workers fail with 'Too many "
        "open files' | put `ulimit -n 4096` into your shell's profile, or ask for a higher limit",
        "warn ulimit -u | at most 512 processes and threads | threads cannot start: 'Resource "
        "temporarily unavailable' | put `ulimit -u 1024` into your shell's profile, or ask for a "
        "higher limit",
    ]
    assert lines(limit_findings(AREA, {"nofile": 65536, "nproc": None})) == [
        "ok ulimits | nofile 65,536, nproc unlimited"
    ]


def test_limits_of_sizes_hurt_torch_and_checkpoints() -> None:
    assert lines(size_findings(AREA, address_space=64 * 2**30, file_size=2**29)) == [
        "warn ulimit -v | at most 64 GiB of address space per process | torch reserves far more "
        "than it uses, and fails to allocate | put `ulimit -v unlimited` into your shell's profile",
        "fail ulimit -f | files of at most 0.5 GiB | checkpoints are larger than that: runs end "
        "with 'File too large' | put `ulimit -f unlimited` into your shell's profile",
    ]
    assert lines(size_findings(AREA, address_space=None, file_size=None)) == []
    assert unlimited(-1) is None
    assert unlimited(5) == 5


def test_a_small_tmp_is_a_warning() -> None:
    assert lines([tmp_finding(AREA, free=1.25), tmp_finding(AREA, free=80)]) == [
        "warn /tmp | 1.2 GiB free | kernels compiled at run time may not fit | set "
        "cluster.local_cache_dir to another local disk",
        "ok /tmp | 80 GiB free",
    ]
