"""Curation as a SLURM job."""

import json

import pytest

from tests.support.slurm.login import Login

MANUAL = "# A-45 Manual\n\n## Reset\n\nHold the green button for 9 seconds, then let go of it.\n"
KEYS = (
    "library.name=w",
    "library.sources=[manual.md]",
    "cluster=slurm",
    "cluster.cpu_partition=null",
)


def test_a_curation_job_reads_paths_relative_to_where_it_was_submitted(login: Login) -> None:
    (login.folder / "manual.md").write_text(MANUAL)
    output = login("curate", *KEYS).stdout
    job = output.split()[1]
    login.wait_for_state(job, "COMPLETED")
    manifest = json.loads((login.folder / "libraries/w/manifest.json").read_text())
    assert sum(source["files"]["train"]["samples"] for source in manifest["sources"]) >= 1
    work = login.folder / "libraries/.jobs/w"
    assert (work / "code/ftdist/library/pipeline.py").is_file()
    [log] = (work / "jobs/curate").glob(f"{job}_0_log.out")
    assert str(log) in output
    assert "w" in log.read_text()


def test_a_failed_curation_job_reports_why_in_its_log(login: Login) -> None:
    (login.folder / "manual.jsonl").write_text('{"text": \n')
    keys = ("library.name=w", "library.sources=[manual.jsonl]", *KEYS[2:])
    output = login("curate", *keys).stdout
    job = output.split()[1]
    login.wait_for_state(job, "FAILED")
    [log] = (login.folder / "libraries/.jobs/w/jobs/curate").glob(f"{job}_0_log.out")
    assert "manual.jsonl" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_an_invalid_curation_is_refused_before_submission(login: Login) -> None:
    missing = login("curate", *KEYS, code=78)
    assert "manual.md" in missing.stderr
    (login.folder / "manual.md").write_text(MANUAL)
    weights = login("curate", *KEYS, "library.weights={other: 2}", code=78)
    assert "library.weights names other" in weights.stderr
    (login.folder / "libraries/w").mkdir(parents=True)
    (login.folder / "libraries/w/mine.txt").write_text("mine")
    taken = login("curate", *KEYS, code=78)
    assert "is not a curated library" in taken.stderr
    assert not (login.folder / "libraries/.jobs").exists()


@pytest.mark.fault("L1")
def test_a_preempted_curation_restarts_and_continues(login: Login) -> None:
    rows = ({"text": f"Part {n} of crane {n * 7} weighs {n * 13} tons."} for n in range(60_000))
    (login.folder / "parts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    keys = ("library.name=w", "library.sources=[parts.jsonl]", *KEYS[2:], "work.shard_mib=1")
    job = login("curate", *keys).stdout.split()[1]
    folder = login.folder / "libraries/.jobs/w"

    def reads() -> bool:
        logs = [path.read_text() for path in (folder / "jobs/curate").glob(f"{job}_0_log.*")]
        return any("curate: reading" in log for log in logs)

    login.wait_until(reads, what="a curation at work")
    login.lab.client("scancel", "--signal=USR2", job)
    login.wait_until(lambda: len(login.lab.starts(job)) == 2, what="a second start")
    login.wait_for_state(job, "COMPLETED", timeout_s=240)
    assert (login.folder / "libraries/w/manifest.json").is_file()


def test_requests_that_slurm_would_reject_are_reported_at_once(login: Login) -> None:
    (login.folder / "manual.md").write_text(MANUAL)
    refused = login("curate", *KEYS, "cluster.partition=nowhere", code=69)
    assert "SLURM would reject the job" in refused.stderr
    assert not (login.folder / "libraries").exists()
