import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ftdist_launch.doctor import storage
from ftdist_launch.doctor.measure_nodes import no_result
from ftdist_launch.doctor.node_job import JobEnd

from ftdist.cli.main import main
from tests.support.findings import lines
from tests.support.slurm.captured_clusters import install

END = JobEnd(
    state="FAILED", hosts=("n1", "n2"), reason="", log="boom\n", started_s=100.0, ended_s=120.0
)


@pytest.fixture
def borealis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder at the login node of the captured GPU cluster, which rejects every job."""
    commands, folder = tmp_path / "bin", tmp_path / "work"
    commands.mkdir()
    folder.mkdir()
    install("gpus", commands)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(storage, "SPEED_MIB", 8)
    monkeypatch.chdir(folder)
    return folder


def test_a_cluster_file_is_shown_before_it_is_written(
    borealis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--no-nodes", "--dry-run"]) == 0
    before, _, text = capsys.readouterr().out.partition("conf/cluster/borealis.yaml would be:\n")
    assert before.endswith("Nothing was written. ")
    assert yaml.safe_load(text)["partition"] == "h100"
    assert not (borealis / "conf").exists()


def test_a_cluster_file_is_written_once(borealis: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--no-nodes", "--name", "b", "--partition", "a100"]) == 0
    assert capsys.readouterr().out.endswith("Wrote conf/cluster/b.yaml. Use it: cluster=b.\n")
    assert main(["doctor", "--no-nodes", "--name", "b"]) == 0
    assert capsys.readouterr().out.endswith(
        "conf/cluster/b.yaml exists and was not changed: --force replaces it, --dry-run shows the "
        "new one.\n"
    )
    text = (borealis / "conf/cluster/b.yaml").read_text()
    assert yaml.safe_load(text)["partition"] == "a100"
    assert main(["doctor", "--no-nodes", "--name", "b", "--force", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields["written"] == "conf/cluster/b.yaml"
    assert fields["cluster_file"] == (borealis / "conf/cluster/b.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "arguments", "partition"),
    [
        ("partition: a100\n", ["cluster=own"], "a100"),
        ("partition: a100\n", ["cluster=own", "cluster.partition=debug"], "debug"),
        ("partition: a100\n", ["cluster=own", "--partition", "preempt"], "preempt"),
        ("tasks_per_node: 2\n", ["cluster=own"], "cpu"),  # SLURM's default
        ("", ["cluster.partition=a100"], "a100"),
    ],
)
def test_the_partition_of_a_cluster_file_is_the_one_that_is_looked_at(
    text: str,
    arguments: list[str],
    partition: str,
    borealis: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = borealis / "conf/cluster/own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(f"defaults: [slurm, _self_]\n{text}")
    main(["doctor", "--no-nodes", "--json", "--dry-run", *arguments])
    written = json.loads(capsys.readouterr().out)["cluster_file"]
    assert yaml.safe_load(written)["partition"] == partition


@pytest.mark.parametrize("arguments", [[], ["--nodes", "2"]])
def test_a_job_that_slurm_rejects_is_a_failure_with_its_words(
    arguments: list[str], borealis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments, "--json"]) == 78
    findings = json.loads(capsys.readouterr().out)["findings"]
    (failed,) = [finding for finding in findings if finding["level"] == "fail"]
    assert failed["name"] == "job"
    assert failed["found"] == (
        "SLURM rejected the job of `ftdist doctor`: Batch job submission failed: Invalid qos "
        "specification"
    )
    assert "--qos" in failed["remedy"]
    assert not [path for path in borealis.iterdir() if "doctor" in path.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nodes", "99"], "--nodes 99, but partition h100 has 16 usable nodes."),
        (["--partition", "h10"], "There is no partition h10 on this cluster."),
        (["--nodes", "2", "run.root=/proc/r"], "Cannot read or write /proc/.ftdist-doctor-"),
        (["--name", "local"], "--name local cannot be the name of a cluster file."),
    ],
)
def test_what_the_cluster_does_not_have_is_answered_in_two_lines(
    arguments: list[str], message: str, borealis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--no-nodes", *arguments]) in (74, 78)
    errors = capsys.readouterr().err.splitlines()
    assert errors[-2].startswith(message)
    assert errors[-1].startswith("To fix: ")


def test_a_silent_slurm_is_answered_before_a_job(
    borealis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("sinfo", "scontrol"):
        (borealis.parent / "bin" / name).write_text("#!/bin/sh\necho down >&2\nexit 1\n")
    assert main(["doctor", "--nodes", "2"]) == 69
    assert "SLURM does not answer: down." in capsys.readouterr().err


def why(folder: Path, end: JobEnd = END) -> str:
    (found,) = lines([no_result(end, folder, wait_s=60.0)])
    return found


HURTS = "runs are rejected or fail in the same way"


def test_nodes_without_a_rank_are_named(tmp_path: Path) -> None:
    assert why(tmp_path).startswith("fail job | the job ended as FAILED: boom | ")
    (tmp_path / "started-0.n1").write_text("cpu")
    assert why(tmp_path) == (
        f"fail job | no rank started on n2; the job ended as FAILED: boom | {HURTS} | set "
        "cluster.exclude=n2, and report the nodes"
    )
    waiting = replace(END, state="WAITING", hosts=(), reason="waiting for free nodes (Resources)")
    assert why(tmp_path, waiting).startswith("warn job | not started within 60 s")


def test_nodes_whose_gpus_are_not_seen_are_named(tmp_path: Path) -> None:
    (tmp_path / "started-0.n1").write_text("cuda")
    (tmp_path / "started-1.n2").write_text("cpu")
    assert why(tmp_path) == (
        f"fail job | torch sees no GPU on n2, but on the other nodes | {HURTS} | set "
        "cluster.exclude=n2, and report the nodes"
    )


def test_the_first_rank_to_fail_names_its_node(tmp_path: Path) -> None:
    for rank, host in enumerate(("n1", "n2")):
        (tmp_path / f"started-{rank}.{host}").write_text("cuda")
    for rank, host, time in ((0, "n1", 20), (1, "n2", 10)):
        path = tmp_path / f"error-{rank}.{host}"
        path.write_text(f"problem of {host}")
        os.utime(path, (time, time))
    assert why(tmp_path) == (
        f"fail job | n2: problem of n2 | {HURTS} | set cluster.exclude=n2, and report the nodes"
    )
