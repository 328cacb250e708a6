"""Checks of the file systems of runs, home and Hub cache."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ftdist_launch.doctor.commands import Runner
from ftdist_launch.doctor.finding import Area, Finding
from ftdist_launch.doctor.storage import Quota, Storage, measure, read_quotas
from ftdist_launch.slurm.preflight import VOLATILE

LOCAL = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "overlay", "f2fs")
"""File systems of one machine, unless they are exported under another type."""

FEW_GIB, NONE_GIB = 150.0, 2.0
"""Free space that one run of an 8 B model needs, and below which not even a small run fits."""

FEW_INODES = 100_000
SLOW_MIB_S = 100.0
SLOW_FILES_S = 100.0

CHECKPOINT_8B_GIB = 90.0
"""Weights and optimizer state in float32 of 8 billion parameters: 12 bytes each."""

FULL = 0.9
"""Fraction of a quota from which on it is a warning."""

SCRATCH = ("SCRATCH", "SCRATCHDIR", "WORK", "WORKDIR", "PSCRATCH")
"""Environment variables in which clusters name the folder for large data."""


def storage_checks(
    folder: Path,
    *,
    run: Runner,
    user: str,
    environment: Mapping[str, str],
    cluster: bool,
    shared: bool,
) -> Iterator[Finding]:
    """The findings about the folder of runs.

    Args:
        folder: exists.
        run: runs one command.
        user: whose quota is read.
        environment: of this process.
        cluster: whether this is the login node of a cluster.
        shared: whether compute nodes were seen to share the folder.
    """
    area = Area(f"storage of {folder}")
    try:
        storage = measure(folder)
    except OSError as error:
        yield area.fail(
            "writable",
            f"no: {error.strerror or error}",
            consequence="runs cannot be created here",
            remedy="go to a folder that you may write to, or set run.root",
        )
        return
    yield from findings_of(area, storage, cluster=cluster, shared=shared)
    yield from quota_findings(area, read_quotas(run, folder=folder, user=user))
    yield from home_findings(area, folder=folder, environment=environment)


def findings_of(area: Area, storage: Storage, *, cluster: bool, shared: bool) -> Iterator[Finding]:
    """What the measurements of a folder mean."""
    yield _kind(area, storage, cluster=cluster, shared=shared)
    yield _renames(area, storage)
    yield _locks(area, storage)
    yield _space(area, storage)
    yield _inodes(area, storage)
    yield _speed(area, storage)
    yield _small_files(area, storage)


def _kind(area: Area, storage: Storage, *, cluster: bool, shared: bool) -> Finding:
    kind = storage.kind
    if shared:
        return area.ok("type", f"{kind}, which compute nodes see too")
    if kind in VOLATILE:
        where = "which other nodes cannot see" if cluster else "which a restart empties"
        make = area.fail if cluster else area.warn
        return make(
            "type",
            f"{kind}: in the memory of this machine",
            consequence=f"runs lie in memory, {where}",
            remedy="set run.root to a folder on a disk" + (" of the shared file system" * cluster),
        )
    if cluster and kind in LOCAL:
        return area.warn(
            "type",
            f"{kind}: probably this machine's own disk",
            consequence="jobs on other nodes do not find a run that lies here",
            remedy="if compute nodes see this folder, ignore this; else set run.root",
        )
    return area.ok("type", kind)


def _renames(area: Area, storage: Storage) -> Finding:
    if storage.missed_renames is None:
        return area.fail(
            "rename",
            "a file cannot be replaced by renaming",
            consequence="checkpoints and records cannot be committed",
            remedy="set run.root to another file system",
        )
    if storage.missed_renames:
        return area.fail(
            "rename",
            f"not atomic: a reader found no file {storage.missed_renames} times in 100 renames",
            consequence="a reader may see a run or checkpoint that is missing or incomplete",
            remedy="set run.root to another file system",
        )
    return area.ok("rename", "atomic")


def _locks(area: Area, storage: Storage) -> Finding:
    if storage.locks:
        return area.warn(
            "locks",
            f"{' and '.join(storage.locks)} do not keep another process out",
            consequence="two commands may work on one run at the same time",
            remedy="ask for a mount with locks (Lustre: flock), and start one command per run",
        )
    return area.ok("locks", "flock and fcntl work")


def _space(area: Area, storage: Storage) -> Finding:
    found = f"{storage.free_gib:,.0f} of {storage.total_gib:,.0f} GiB free"
    if storage.free_gib < NONE_GIB:
        return area.fail(
            "space",
            f"{storage.free_gib:.1f} of {storage.total_gib:,.0f} GiB free",
            consequence="no checkpoint fits",
            remedy="free some space, or set run.root to another file system",
        )
    if storage.free_gib < FEW_GIB:
        return area.warn(
            "space",
            found,
            consequence=f"one checkpoint of an 8 B model takes {CHECKPOINT_8B_GIB:.0f} GiB",
            remedy="run `ftdist plan` for your model; set run.root to a larger file system",
        )
    return area.ok("space", found)


def _inodes(area: Area, storage: Storage) -> Finding:
    if storage.free_inodes is None:
        return area.ok("files", "no limit on their number")
    if storage.free_inodes < FEW_INODES:
        return area.warn(
            "files",
            f"{storage.free_inodes:,} more can be made",
            consequence="'No space left on device', although space is free",
            remedy="delete old environments and caches, or set run.root",
        )
    return area.ok("files", f"{storage.free_inodes:,} more can be made")


def _speed(area: Area, storage: Storage) -> Finding:
    found = f"writes {storage.write_mib_s:,.0f} MiB/s, reads {storage.read_mib_s:,.0f} MiB/s"
    if storage.write_mib_s < SLOW_MIB_S:
        save_min = CHECKPOINT_8B_GIB * 1024 / storage.write_mib_s / 60
        return area.warn(
            "speed",
            found,
            consequence=f"a checkpoint of an 8 B model takes {save_min:,.0f} min at this rate",
            remedy="use a faster file system, or raise cluster.signal_delay_s accordingly",
        )
    return area.ok("speed", found)


def _small_files(area: Area, storage: Storage) -> Finding:
    found = f"{storage.small_files_s:,.0f} made per second"
    if storage.small_files_s < SLOW_FILES_S:
        return area.warn(
            "small files",
            found,
            consequence="Python takes minutes to start on many ranks: torch is 10,000 files",
            remedy="keep the virtual environment on a faster file system, or in a container",
        )
    return area.ok("small files", found)


def quota_findings(area: Area, quotas: Sequence[Quota]) -> Iterator[Finding]:
    """Quotas that are nearly used up."""
    for quota in quotas:
        name = f"quota {quota.filesystem}"
        if quota.limit_gib is not None:
            found = f"{quota.used_gib:,.0f} of {quota.limit_gib:,.0f} GiB used"
            if quota.used_gib >= FULL * quota.limit_gib:
                yield area.warn(
                    name,
                    found,
                    consequence="writes fail with 'Disk quota exceeded' in the midst of a run",
                    remedy="free some space, or ask for a higher quota",
                )
            else:
                yield area.ok(name, found)
        if quota.max_files is not None and quota.files >= FULL * quota.max_files:
            yield area.warn(
                name,
                f"{quota.files:,} of {quota.max_files:,} files",
                consequence="no file can be created although space is free",
                remedy="delete old environments and caches, or ask for a higher quota",
            )


def home_findings(area: Area, *, folder: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Runs in the home folder, although the cluster names one for large data."""
    home = environment.get("HOME")
    if not home or not folder.resolve().is_relative_to(Path(home).resolve()):
        return
    for name in SCRATCH:
        value = environment.get(name, "")
        path = Path(value)
        if value and path.is_dir() and os.access(path, os.W_OK):
            if folder.resolve().is_relative_to(path.resolve()):
                return
            yield area.warn(
                "home",
                f"in your home folder; this cluster has ${name}={value}",
                consequence="home folders are small, and often slow",
                remedy=f"set run.root=${name}/runs, or work in a folder there",
            )
            return
