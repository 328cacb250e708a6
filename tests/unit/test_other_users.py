"""What another user could change runs no code: attacked for real, with owners and modes."""

import os
import pickle
import stat
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
OTHER, USER, GROUP = 4242, 4343, 4444
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another user")


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """ftdist takes this process for one of USER; owners and modes of files are real."""
    monkeypatch.setattr(os, "geteuid", lambda: USER)


def _give(path: Path, user: int, group: int = -1) -> None:
    for each in (path, *path.rglob("*")):
        os.chown(each, user, group)


def _run(root: Path, *, private: bool = True) -> RunDir:
    run = RunDir(root)
    run.create(private=private)
    run.config.write_text(dump_config(compose(NEEDED)))
    return run


def _given_away(path: Path) -> None:
    os.chown(path, OTHER, OTHER)


CASES: dict[str, Callable[[Path], None]] = {
    "owner": _given_away,
    "writable": lambda root: root.chmod(0o702),
    "writable above": lambda root: root.parent.chmod(0o777),
}


@as_root
@pytest.mark.fault("M10", "XA", "S10")
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_another_user_may_change_is_refused(
    case: str, tmp_path: Path, as_user: None
) -> None:
    run = _run(tmp_path / "runs/r")
    _give(tmp_path, USER)
    CASES[case](run.root)
    with pytest.raises(ConfigError, match=r"belongs to user 4242|can be changed by every user"):
        find_run("r", runs_root=tmp_path / "runs")
    assert find_run("r", runs_root=tmp_path / "runs", only_reads=True).root == run.root


@as_root
@pytest.mark.fault("M10", "S10")
@pytest.mark.parametrize("private", [True, False])
def test_a_project_folder_of_a_group_needs_no_setting(
    private: bool, tmp_path: Path, as_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's folder of a project, mode 2775, and files made with umask 002."""
    before = os.umask(0o002)
    try:
        lab = tmp_path / "lab"
        lab.mkdir()
        os.chown(lab, OTHER, GROUP)
        lab.chmod(0o2775)
        run = _run(lab / "me/runs/r", private=private)
        experiment = lab / "me/conf/experiment/mine.yaml"
        experiment.parent.mkdir(parents=True)
        experiment.write_text("# @package _global_\noptim: {peak_lr: 0.5}\n")
        _give(lab / "me", USER)
    finally:
        os.umask(before)
    assert stat.S_IMODE(experiment.stat().st_mode) == 0o664
    assert stat.S_IMODE(run.root.parent.stat().st_mode) == 0o2775
    assert list(run_problems(RunDir(lab / "me/runs/new"))) == []
    assert find_run("r", runs_root=lab / "me/runs").root == run.root
    monkeypatch.chdir(lab / "me")
    assert compose([*NEEDED, "experiment=mine"]).optim.peak_lr == 0.5
    monkeypatch.setattr("ftdist_launch.slurm.own_files.trusted_users", lambda: {0, USER})
    assert _start(run, private=private).stdout == "started\n"


@as_root
@pytest.mark.parametrize(("private", "mode"), [(True, 0o2700), (False, 0o2755)])
def test_what_a_run_makes_belongs_to_the_group_of_its_folder_whose_quota_it_is(
    private: bool, mode: int, tmp_path: Path
) -> None:
    os.chown(tmp_path, -1, GROUP)
    tmp_path.chmod(0o2775)
    run = _run(tmp_path / "r", private=private)
    assert stat.S_IMODE(run.root.stat().st_mode) == mode
    assert {path.stat().st_gid for path in (run.root, run.config, run.jobs)} == {GROUP}


@as_root
@pytest.mark.fault("M10")
def test_a_folder_that_the_user_names_is_trusted_with_all_below_it(
    tmp_path: Path, as_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run(tmp_path / "lab/me/runs/r")
    for path in (run.root, *run.root.parents[:3]):
        _given_away(path)
        path.chmod(0o777)
    for elsewhere in ("/", f"{tmp_path}/la"):
        monkeypatch.setenv(VARIABLE, elsewhere)
        with pytest.raises(ConfigError):
            run.require_own()
    for named in (tmp_path / "lab", tmp_path / "lab/me/runs/r"):
        monkeypatch.setenv(VARIABLE, f"/nowhere:{named}")
        run.require_own()


@as_root
@pytest.mark.fault("M10")
@pytest.mark.parametrize("case", CASES)
def test_the_remedy_works_as_it_is_written(
    case: str, tmp_path: Path, as_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command between backticks is a whole way out."""
    monkeypatch.setenv(VARIABLE, "/nowhere")
    run = _run(tmp_path / "my runs/r")
    _give(tmp_path, USER)
    CASES[case](run.root)
    with pytest.raises(ConfigError) as refused:
        run.require_own()
    assert refused.value.remedy is not None
    *_, export, _ = refused.value.remedy.split("`")
    line = f'{export}; printf %s "${VARIABLE}"'
    value = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, text=True, check=True)
    monkeypatch.setenv(VARIABLE, value.stdout)
    assert value.stdout.startswith("/nowhere:/")
    run.require_own()
    monkeypatch.delenv(VARIABLE)
    if case != "owner":
        subprocess.run(["sh", "-c", refused.value.remedy.split("`")[1]], check=True)
        run.require_own()


@as_root
@pytest.mark.fault("M10")
def test_root_of_a_container_works_in_the_folder_of_the_machines_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work/conf/experiment").mkdir(parents=True)
    experiment = tmp_path / "work/conf/experiment/mine.yaml"
    experiment.write_text("# @package _global_\noptim: {peak_lr: 0.5}\n")
    run = _run(tmp_path / "work/runs/r")
    _give(tmp_path / "work", USER)
    tmp_path.chmod(0o777)  # as a volume may be
    monkeypatch.chdir(tmp_path / "work")
    assert compose([*NEEDED, "experiment=mine"]).optim.peak_lr == 0.5
    run.require_own()
    assert _start(run).stdout == "started\n"
    _give(run.root, OTHER)
    with pytest.raises(ConfigError, match="belongs to user 4242"):
        run.require_own()
    monkeypatch.chdir("/")
    _give(run.root, USER)
    with pytest.raises(ConfigError, match=r"belongs to user 4343, not to you \(root\)"):
        run.require_own()


@as_root
@pytest.mark.fault("S10")
def test_a_sticky_folder_above_is_fine_and_a_link_is_followed(
    tmp_path: Path, as_user: None
) -> None:
    _run(tmp_path / "runs/r")
    _give(tmp_path, USER)
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
    assert f"{run.root} belongs to user {OTHER}, not to you (root)" in shown
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


CONFIG_CASES: dict[str, Callable[[Path], None]] = {
    "file writable": lambda file: file.chmod(0o666),
    "file of another": _given_away,
    "its folder writable": lambda file: file.parent.chmod(0o777),
    "folder above writable": lambda file: file.parent.parent.chmod(0o777),
}


@as_root
@pytest.mark.fault("M10", "XA")
@pytest.mark.parametrize("case", CONFIG_CASES)
def test_a_config_file_that_others_may_change_is_refused_where_it_is_used(
    case: str, tmp_path: Path, as_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "conf/cluster/theirs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("defaults: [slurm, _self_]\npython: /evil/python\n")
    _give(tmp_path, USER)
    config_dir = f"--config-dir={tmp_path / 'conf'}"
    words = [*NEEDED, config_dir, "cluster=theirs"]
    assert compose(words).cluster.python == "/evil/python"
    CONFIG_CASES[case](file)
    with pytest.raises(ConfigError, match=r"The config file .*theirs.yaml (belongs to|can be)"):
        compose(words)
    compose([*NEEDED, config_dir])  # does not read the file
    monkeypatch.setenv(VARIABLE, str(tmp_path / "conf"))
    compose(words)


@as_root
@pytest.mark.fault("M10", "XA")
@pytest.mark.parametrize("key", ["python", "container"])
def test_a_program_of_a_site_may_run_and_one_that_every_user_may_replace_may_not(
    key: str, tmp_path: Path, as_user: None
) -> None:
    """A service account owns it, and its group may write to it."""
    program = tmp_path / "conda/bin/python"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/sh")
    config = slurm_config(f"cluster.{key}={program}")
    request = replace(_request(_run(tmp_path / "r")), cluster=config.cluster)
    _give(request.runs[0].root, USER)
    _give(tmp_path / "conda", OTHER, GROUP)
    program.parent.chmod(0o2775)
    require_own_files(request)
    program.parent.chmod(0o777)
    with pytest.raises(ConfigError, match=rf"cluster\.{key} .* has mode 0777") as refused:
        require_own_files(request)
    assert "copy" not in str(refused.value.remedy)


@as_root
@pytest.mark.fault("M10", "S10")
def test_no_run_is_made_where_others_could_replace_it(tmp_path: Path, as_user: None) -> None:
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
