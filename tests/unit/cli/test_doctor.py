import json
from pathlib import Path

import pytest
from ftdist_launch.doctor import diagnosis, storage
from ftdist_launch.doctor.finding import Finding

from ftdist.cli.commands import doctor
from ftdist.cli.main import main

FINDINGS = (
    Finding(area="this machine", name="Python", level="ok", found="3.11.7, x86_64, /env"),
    Finding(
        area="SLURM",
        name="process tracking",
        level="warn",
        found="proctrack/linuxproc",
        consequence="processes of a killed job may survive and hold GPU memory",
        remedy="if a GPU is full without a job, report the node; set cluster.exclude",
    ),
    Finding(
        area="SLURM",
        name="partition",
        level="fail",
        found="none is up, has usable nodes, and admits your accounts [x]",
        consequence="no job will start",
        remedy="ask the administrators for an account; `sinfo` lists the partitions",
    ),
)

PRINTED = """\
this machine
   ok Python            3.11.7, x86_64, /env
SLURM
 warn process tracking  proctrack/linuxproc
                        Processes of a killed job may survive and hold GPU
                        memory.
                        To fix: if a GPU is full without a job, report the node;
                        set cluster.exclude.
 fail partition         none is up, has usable nodes, and admits your accounts
                        [x]
                        No job will start.
                        To fix: ask the administrators for an account; `sinfo`
                        lists the partitions.
1 failure, 1 warning, 1 ok.
"""


@pytest.fixture
def no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on a machine without SLURM, W&B key and Hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(storage, "SPEED_MIB", 8)
    return tmp_path


def test_findings_fit_80_columns_without_colour_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    doctor.print_findings(FINDINGS)
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert [line.rstrip() for line in output.splitlines()] == PRINTED.splitlines()
    assert max(map(len, output.splitlines())) <= 80


def test_a_machine_without_slurm_is_checked_and_said_to_be_one(
    no_slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--no-nodes"]) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == diagnosis.NO_SLURM
    for text in ("storage of ", "key               none in WANDB_API_KEY", "127.0.0.1:9 cannot be"):
        assert text in output
    assert not (no_slurm / "conf").exists()
    assert max(map(len, output.splitlines())) <= 80


def test_json_has_every_finding_and_nothing_else(
    no_slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--no-nodes", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields["has_slurm"] is False
    assert fields["written"] is None
    assert {"area", "name", "level", "found", "consequence", "remedy"} == set(fields["findings"][0])


def test_a_failure_is_an_exit_code(no_slurm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--no-nodes", "run.root=/proc/ftdist"]) == 78
    assert "Runs cannot be created here." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nodes", "0"], "--nodes 0 is no number of nodes."),
        (["--nodes", "2"], "--nodes 2 needs SLURM, which this machine does not have."),
        (["--nodes", "x"], "argument --nodes: invalid int value: 'x'."),
        (["--node", "2"], "--node is not a flag of `ftdist doctor`: did you mean --nodes?"),
    ],
)
def test_wrong_flags_are_answered_in_two_lines(
    arguments: list[str], message: str, no_slurm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 78
    problem, remedy = capsys.readouterr().err.splitlines()
    assert problem == message
    assert remedy.startswith("To fix: ")
