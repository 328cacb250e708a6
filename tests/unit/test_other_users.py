"""What another user could change runs no code: attacked for real, with owners and modes."""

import os
import pickle
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.setup.preflight import run_problems
from ftdist_launch.slurm.own_files import require_own_files
from ftdist_launch.slurm.sbatch import JobRequest, setup

from ftdist.cli.main import main
from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.errors import ConfigError
from ftdist.io.ownership import VARIABLE, require_own
from ftdist.rundir import RunDir, find_run
from tests.support.canary import Canary
from tests.support.runs.fake_runs import slurm_config

NEEDED = ["model.path=m", "library.path=l", "run.name=r"]
OTHER = 4242
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another user")


def _run(root: Path) -> RunDir:
    run = RunDir(root)
    run.create(private=True)
    run.config.write_text(dump_config(compose(NEEDED)))
    return run


def _given_away(path: Path) -> None:
    os.chown(path, OTHER, OTHER)


def _shared_with_a_group(root: Path) -> None:
    os.chown(root.parent, -1, OTHER)
    root.parent.chmod(0o770)


CASES: dict[str, Callable[[Path], None]] = {
    "owner": _given_away,
    "owner above": lambda root: _given_away(root.parent),
    "writable": lambda root: root.chmod(0o702),
    "writable above": lambda root: root.parent.chmod(0o777),
    "group above": _shared_with_a_group,
}


@as_root
@pytest.mark.fault("M10", "XA", "S10")
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_another_user_may_change_is_refused(case: str, tmp_path: Path) -> None:
    run = _run(tmp_path / "runs/r")
    CASES[case](run.root)
    with pytest.raises(ConfigError, match=r"could be another user's|can be changed by other users"):
        find_run("r", runs_root=tmp_path / "runs")
    assert find_run("r", runs_root=tmp_path / "runs", only_reads=True).root == run.root


@as_root
@pytest.mark.fault("M10")
def test_a_folder_that_the_user_names_is_trusted_with_all_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run(tmp_path / "runs/r")
    _given_away(run.root.parent)
    monkeypatch.setenv(VARIABLE, f"/nowhere:{run.root.parent}")
    run.require_own()
    run.root.chmod(0o777)
    with pytest.raises(ConfigError, match="mode 0777"):
        run.require_own()
    for everything in ("/", f"{tmp_path}/other"):
        monkeypatch.setenv(VARIABLE, everything)
        with pytest.raises(ConfigError):
            run.require_own()


@pytest.mark.fault("S10")
def test_a_sticky_folder_above_is_fine_and_a_link_is_followed(tmp_path: Path) -> None:
    _run(tmp_path / "runs/r").require_own()
    (tmp_path / "runs").chmod(0o1777)
    require_own(tmp_path / "runs/r", what="It")
    (tmp_path / "runs").chmod(0o777)
    (tmp_path / "link").symlink_to("runs/r")
    with pytest.raises(ConfigError, match="mode 0777"):
        require_own(tmp_path / "link", what="It")


@pytest.mark.fault("S10", "S9")
def test_pickles_that_others_may_change_in_an_open_run_are_refused(tmp_path: Path) -> None:
    run = _run(tmp_path / "r")
    (run.jobs / "train-1").mkdir()
    (run.jobs / "train-1").chmod(0o777)
    run.require_own()  # nobody else gets into it
    run.root.chmod(0o755)
    with pytest.raises(ConfigError, match=r"train-1 has mode 0777"):
        run.require_own()


COMMANDS = ["cancel", "chat", "compare", "export", "merge", "push", "report", "resume", "serve"]


@as_root
@pytest.mark.fault("M10", "XA")
@pytest.mark.parametrize("command", [*COMMANDS, "sync"])
def test_every_command_on_a_run_refuses_another_users(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run(tmp_path / "r")
    _given_away(run.root)
    further = ["org/name"] if command == "push" else []
    assert main([command, str(run.root), *further]) == 78
    shown = capsys.readouterr().err
    assert f"{run.root} belongs to user {OTHER}" in shown
    assert f"export {VARIABLE}={run.root}" in shown


@as_root
@pytest.mark.fault("M10", "S10")
@pytest.mark.parametrize("command", ["status", "logs"])
def test_commands_that_read_execute_nothing_of_another_users_run(
    command: str, tmp_path: Path
) -> None:
    run, canary = _run(tmp_path / "r"), Canary(tmp_path / "canary")
    (run.jobs / "train-1").mkdir()
    for name in ("1_submitted.pkl", "1_0_result.pkl"):
        (run.jobs / "train-1" / name).write_bytes(pickle.dumps(canary))
    _given_away(run.root)
    main([command, str(run.root)])
    canary.assert_unharmed()


@pytest.mark.fault("M10", "XA")
def test_a_folder_of_config_that_others_may_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "conf/cluster"
    folder.mkdir(parents=True)
    (folder / "theirs.yaml").write_text("defaults: [slurm, _self_]\npython: /evil/python\n")
    words = [*NEEDED, f"--config-dir={folder.parent}", "cluster=theirs"]
    assert compose(words).cluster.python == "/evil/python"
    folder.parent.chmod(0o777)
    with pytest.raises(ConfigError, match=r"The config folder .* mode 0777"):
        compose(words)


@as_root
@pytest.mark.fault("M10", "XA")
@pytest.mark.parametrize("key", ["python", "container"])
def test_a_program_of_another_user_in_a_config_is_not_submitted(key: str, tmp_path: Path) -> None:
    program = tmp_path / "theirs/bin/python"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/sh")
    config = slurm_config(f"cluster.{key}={program}")
    request = replace(_request(_run(tmp_path / "r")), cluster=config.cluster)
    require_own_files(request)
    _given_away(program.parent)
    with pytest.raises(ConfigError, match=rf"cluster\.{key} .* belongs to user {OTHER}"):
        require_own_files(request)


@as_root
@pytest.mark.fault("M10", "S10")
def test_no_run_is_made_where_others_could_replace_it(tmp_path: Path) -> None:
    assert list(run_problems(RunDir(tmp_path / "runs/r"))) == []
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs").chmod(0o777)
    (problem,) = run_problems(RunDir(tmp_path / "runs/r"))
    assert "has mode 0777" in problem.problem


# The batch script, which is the first thing of a job that runs


def _request(run: RunDir, *, private: bool = True) -> JobRequest:
    return JobRequest(
        stage="train",
        runs=(run,),
        cluster=slurm_config().cluster,
        private=private,
        gpus_per_node=0,
        name="r",
    )


def _start(run: RunDir, *, private: bool = True) -> subprocess.CompletedProcess[str]:
    """The lines of a job before its ranks, with code of the run that leaves a canary."""
    hooks = run.code / "ftdist_launch/slurm/batch_hooks.py"
    if not hooks.exists():
        hooks.parent.mkdir(parents=True)
        for folder in (hooks.parent, hooks.parent.parent):
            (folder / "__init__.py").touch()
        hooks.write_text("import pathlib\npathlib.Path('canary').touch()\nprint(1)\n")
        (run.jobs / "train").mkdir()
    lines = setup(_request(run, private=private))
    text = "scontrol() { echo node1; }\n" + "\n".join(lines) + "\necho started\n"
    environment = {**os.environ, "SLURM_JOB_ID": "1", "SLURM_CPUS_PER_TASK": "1"}
    return subprocess.run(
        ["bash", "-c", text],
        cwd=run.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.fault("S10", "XF")
def test_a_job_runs_code_of_a_run_that_is_the_users_alone(tmp_path: Path) -> None:
    run = _run(tmp_path / "r")
    done = _start(run)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr
    assert (run.root / "canary").exists()


JOB_CASES: dict[str, Callable[[RunDir], None]] = {
    "run writable": lambda run: run.root.chmod(0o777),
    "run of another": lambda run: _given_away(run.root),
    "code writable": lambda run: (run.code / "ftdist_launch").chmod(0o777),
    "code of another": lambda run: _given_away(run.code / "ftdist_launch/slurm/batch_hooks.py"),
    "pickle of another": lambda run: _given_away(run.jobs / "train/1_submitted.pkl"),
}


@as_root
@pytest.mark.fault("S10", "XF")
@pytest.mark.parametrize("case", JOB_CASES)
def test_a_job_ends_before_it_runs_what_another_user_may_have_put_there(
    case: str, tmp_path: Path
) -> None:
    run = _run(tmp_path / "r")
    _start(run, private=False)
    (run.root / "canary").unlink()
    (run.jobs / "train/1_submitted.pkl").touch()
    JOB_CASES[case](run)
    done = _start(run, private=False)
    assert (done.returncode, done.stdout) == (78, "")
    assert "Others may change" in done.stderr
    assert not (run.root / "canary").exists()


@pytest.mark.fault("S8", "S1")
def test_no_value_of_the_users_environment_is_in_a_batch_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "PGPASSWORD", "LD_PRELOAD_OFF"):
        monkeypatch.setenv(name, "canary-value")
    text = "\n".join(setup(_request(_run(tmp_path / "r"))))
    assert "canary-value" not in text
