import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ftdist_launch.doctor import storage
from ftdist_launch.doctor.measure_nodes import no_result, silent_nodes
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


def test_nodes_without_a_rank_are_named(tmp_path: Path) -> None:
    assert silent_nodes(END, tmp_path) == ()  # none started: the folder is to blame
    (tmp_path / "rank-0.n1").touch()
    assert silent_nodes(END, tmp_path) == ("n2",)
    assert lines([no_result(END, ("n2",), wait_s=60.0, folder=tmp_path)]) == [
        "fail job | no rank started on n2; the job ended as FAILED: boom | runs are rejected or "
        "fail in the same way | set cluster.exclude=n2, and report the nodes"
    ]
    (other,) = lines([no_result(END, (), wait_s=60.0, folder=tmp_path)])
    assert other.startswith("fail job | the job ended as FAILED: boom | ")
    waiting = replace(END, state="WAITING", reason="waiting for free nodes (Resources)")
    (late,) = lines([no_result(waiting, ("n2",), wait_s=60.0, folder=tmp_path)])
    assert late.startswith("warn job | not started within 60 s")
