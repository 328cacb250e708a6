from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.doctor import storage as measuring
from ftdist_launch.doctor.commands import MISSING, TIMEOUT_S, Output
from ftdist_launch.doctor.finding import Area
from ftdist_launch.doctor.storage import Quota, Storage, measure, parse_quotas, read_quotas
from ftdist_launch.doctor.storage_checks import (
    findings_of,
    home_findings,
    quota_findings,
    storage_checks,
)

from tests.support.findings import lines

AREA = Area("storage")

GOOD = Storage(
    path="/shared",
    kind="lustre",
    free_gib=4000.0,
    total_gib=10000.0,
    free_inodes=5_000_000,
    missed_renames=0,
    locks=(),
    write_mib_s=1500.0,
    read_mib_s=2500.0,
    small_files_s=3000.0,
)


def judged(storage: Storage, *, cluster: bool = True, shared: bool = False) -> list[str]:
    return lines(findings_of(AREA, storage, cluster=cluster, shared=shared))


def problems(storage: Storage, *, cluster: bool = True) -> list[str]:
    return [line for line in judged(storage, cluster=cluster) if not line.startswith("ok")]


def test_a_good_file_system_is_ok_in_all_points() -> None:
    assert judged(GOOD) == [
        "ok type | lustre",
        "ok rename | atomic",
        "ok locks | flock and fcntl work",
        "ok space | 4,000 of 10,000 GiB free",
        "ok files | 5,000,000 more can be made",
        "ok speed | writes 1,500 MiB/s, reads 2,500 MiB/s",
        "ok small files | 3,000 made per second",
    ]
    assert judged(replace(GOOD, free_inodes=None))[4] == "ok files | no limit on their number"
    assert judged(replace(GOOD, kind="ext4"), shared=True)[0] == (
        "ok type | ext4, which compute nodes see too"
    )
    assert problems(replace(GOOD, kind="ext4"), cluster=False) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"kind": "xfs"},
            "warn type | xfs: probably this machine's own disk | jobs on other nodes do not find a "
            "run that lies here | if compute nodes see this folder, ignore this; else set run.root",
        ),
        (
            {"kind": "tmpfs"},
            "fail type | tmpfs: in the memory of this machine | runs lie in memory, which other "
            "nodes cannot see | set run.root to a folder on a disk of the shared file system",
        ),
        (
            {"missed_renames": None},
            "fail rename | a file cannot be replaced by renaming | checkpoints and records cannot "
            "be committed | set run.root to another file system",
        ),
        (
            {"missed_renames": 7},
            "fail rename | not atomic: a reader found no file 7 times in 100 renames | a reader "
            "may see a run or checkpoint that is missing or incomplete | set run.root to another "
            "file system",
        ),
        (
            {"locks": ("flock", "fcntl")},
            "warn locks | flock and fcntl do not keep another process out | two commands may work "
            "on one run at the same time | ask for a mount with locks (Lustre: flock), and start "
            "one command per run",
        ),
        (
            {"free_gib": 1.5},
            "fail space | 1.5 of 10,000 GiB free | no checkpoint fits | free some space, or set "
            "run.root to another file system",
        ),
        (
            {"free_gib": 60.0},
            "warn space | 60 of 10,000 GiB free | one checkpoint of an 8 B model takes 90 GiB | "
            "run `ftdist plan` for your model; set run.root to a larger file system",
        ),
        (
            {"free_inodes": 900},
            "warn files | 900 more can be made | 'No space left on device', although space is free "
            "| delete old environments and caches, or set run.root",
        ),
        # 90 GiB = 92,160 MiB at 48 MiB/s: 1,920 s.
        (
            {"write_mib_s": 48.0, "read_mib_s": 90.0},
            "warn speed | writes 48 MiB/s, reads 90 MiB/s | a checkpoint of an 8 B model takes 32 "
            "min at this rate | use a faster file system, or raise cluster.signal_delay_s "
            "accordingly",
        ),
        (
            {"small_files_s": 20.0},
            "warn small files | 20 made per second | Python takes minutes to start on many ranks: "
            "torch is 10,000 files | keep the virtual environment on a faster file system, or in a "
            "container",
        ),
    ],
)
def test_each_weakness_of_a_file_system_has_its_message(
    change: dict[str, object], expected: str
) -> None:
    assert problems(replace(GOOD, **change)) == [expected]  # type: ignore[arg-type]


def test_memory_is_only_a_warning_without_a_cluster() -> None:
    assert problems(replace(GOOD, kind="ramfs"), cluster=False) == [
        "warn type | ramfs: in the memory of this machine | runs lie in memory, which a restart "
        "empties | set run.root to a folder on a disk"
    ]


def test_a_real_folder_is_measured_and_left_clean(tmp_path: Path) -> None:
    found = measure(tmp_path)
    assert found.missed_renames == 0
    assert found.locks == ()
    assert found.write_mib_s > 0
    assert found.read_mib_s > 0
    assert found.small_files_s > 0
    assert 0 < found.free_gib <= found.total_gib
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_locks_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_TRY_LOCK", "")  # another process that gets every lock
    assert not measuring.lock_works(tmp_path, "flock")


def test_an_unwritable_folder_is_one_failure(tmp_path: Path) -> None:
    def nothing(args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
        assert args
        assert timeout_s > 0
        return Output(code=MISSING)

    gone = tmp_path / "gone"
    found = storage_checks(
        gone, run=nothing, user="alice", environment={}, cluster=True, shared=False
    )
    assert lines(found) == [
        "fail writable | no: No such file or directory | runs cannot be created here | go to a "
        "folder that you may write to, or set run.root"
    ]


QUOTA = """\
Disk quotas for user alice (uid 1001):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
   nas01:/home 96468992* 94371840 104857600   6days  950123       0 1000000
   nas02:/work 1048576        0        0            12       0       0
"""
"""92, 90 and 100 GiB."""

LFS = """\
Disk quotas for usr alice (uid 1001):
     Filesystem  kbytes   quota   limit   grace   files   quota   limit   grace
/lustre/scratch/very/long/name
                2097152       0 10485760       -     120       0       0       -
uid 1001 is using default file quota setting
"""


def test_quotas_are_read_from_both_commands() -> None:
    home, work = parse_quotas(QUOTA)
    assert (home.filesystem, home.used_gib, home.limit_gib) == ("nas01:/home", 92.0, 100.0)
    assert (home.files, home.max_files) == (950_123, 1_000_000)
    assert (work.used_gib, work.limit_gib, work.max_files) == (1.0, None, None)
    (scratch,) = parse_quotas(LFS)
    assert (scratch.filesystem, scratch.used_gib, scratch.limit_gib) == (
        "/lustre/scratch/very/long/name",
        2.0,
        10.0,
    )
    assert parse_quotas("Disk quotas for user root (uid 0): none\n") == []


def test_the_command_for_quotas_depends_on_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(args: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Output:
        assert timeout_s > 0
        asked.append(" ".join(args))
        return Output(code=0, out=LFS if args[0] == "lfs" else QUOTA)

    assert len(read_quotas(answer, folder=tmp_path, user="alice")) == 2
    monkeypatch.setattr(measuring, "kind_of", lambda _: "lustre")
    assert len(read_quotas(answer, folder=tmp_path, user="alice")) == 1
    assert asked == ["quota -w", f"lfs quota -u alice {tmp_path}"]


def test_a_nearly_used_quota_is_a_warning() -> None:
    quotas = [
        Quota(filesystem="home", used_gib=92, limit_gib=100, files=950, max_files=1000),
        Quota(filesystem="work", used_gib=10, limit_gib=100, files=1, max_files=None),
    ]
    assert lines(quota_findings(AREA, quotas)) == [
        "warn quota home | 92 of 100 GiB used | writes fail with 'Disk quota exceeded' in the "
        "midst of a run | free some space, or ask for a higher quota",
        "warn quota home | 950 of 1,000 files | no file can be created although space is free | "
        "delete old environments and caches, or ask for a higher quota",
        "ok quota work | 10 of 100 GiB used",
    ]


def test_runs_in_the_home_folder_are_sent_to_scratch(tmp_path: Path) -> None:
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    for folder in (home / "project", scratch):
        folder.mkdir(parents=True)
    environment = {"HOME": str(home), "SCRATCH": str(scratch)}
    assert lines(home_findings(AREA, folder=home / "project", environment=environment)) == [
        f"warn home | in your home folder; this cluster has $SCRATCH={scratch} | home folders are "
        "small, and often slow | set run.root=$SCRATCH/runs, or work in a folder there"
    ]
    assert lines(home_findings(AREA, folder=scratch, environment=environment)) == []
    inside = {"HOME": str(home), "WORK": str(home / "project")}
    assert lines(home_findings(AREA, folder=home / "project", environment=inside)) == []
