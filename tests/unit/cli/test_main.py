"""The command: help, verbs, errors in two lines, exit codes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftdist.cli import common
from ftdist.cli import main as cli
from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.io.progress import QUIET
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from tests.support.fixed_engine import fixed_engine
from tests.support.runs.fake_runs import plan_of

Captured = pytest.CaptureFixture[str]


def ftdist(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ftdist", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def made(root: Path) -> RunDir:
    run = RunDir(root)
    run.create(private=True)
    run.config.write_text("run: {}\n")
    return run


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(words: list[str], capsys: Captured) -> None:
    assert cli.main(words) == 0
    output = capsys.readouterr().out
    for verb in ("train", "plan", "resume", "export", "compare", "status", "logs"):
        assert f"  ftdist {verb}" in output


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("trian", "`ftdist train ...`"),
        ("exprot", "`ftdist export ...`"),
        ("expret", "`ftdist expert ...`"),
        ("model.path=x", "`ftdist train ...`"),
        ("zzz", "see `ftdist --help`."),
    ],
)
def test_unknown_command_suggests_the_nearest(typed: str, advice: str, capsys: Captured) -> None:
    assert cli.main([typed]) == 78
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"Unknown command {typed!r}."
    assert second.startswith("To fix: ")
    assert advice in second


def test_help_of_a_command_by_its_name(capsys: Captured) -> None:
    assert cli.main(["help", "cancel"]) == 0
    by_name = capsys.readouterr().out
    assert cli.main(["cancel", "--help"]) == 0
    assert by_name == capsys.readouterr().out
    assert cli.main(["help", "cancle"]) == 78
    assert "ftdist cancel" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["completion"], "write `ftdist completion bash`, zsh or fish."),
        (["completion", "tcsh"], "write `ftdist completion bash`, zsh or fish."),
        (["init"], "`ftdist init .`."),
        (["push", "r1"], "see `ftdist push --help`."),
    ],
)
def test_missing_arguments_are_named_with_what_to_write(
    words: list[str], remedy: str, capsys: Captured
) -> None:
    assert cli.main(words) == 78
    output = capsys.readouterr().err
    assert output.endswith(f"{remedy}\n")
    if words[0] == "push":
        assert output.startswith("`ftdist push` needs owner/name.\n")
    assert cli.main([words[0], "--help"]) == 0
    assert "--line" not in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["resume", "export", "compare", "merge", "logs"])
def test_run_commands_require_a_run(verb: str, capsys: Captured) -> None:
    assert cli.main([verb]) == 78
    output = capsys.readouterr().err.splitlines()
    assert output == [
        f"`ftdist {verb}` needs a run.",
        f"To fix: name one: `ftdist {verb} R`.",
    ]
    assert cli.main([verb, "--help"]) == 0
    assert capsys.readouterr().out.lower().startswith(f"usage: ftdist {verb} ")


def test_key_and_value_typos_are_reported_together(capsys: Captured) -> None:
    code = cli.main(["train", "experiment=tiny", "optim.peak_lrr=1", "model.dtype=floot32"])
    output = capsys.readouterr().err
    assert code == 78
    assert "optim.peak_lr" in output
    assert "model.dtype=floot32" in output
    assert "Traceback" not in output


def test_hydra_prints_the_composed_config(capsys: Captured) -> None:
    assert cli.main(["train", "experiment=tiny", "--cfg", "job"]) == 0
    assert "sequence_length: 256" in capsys.readouterr().out


def test_a_command_answers_in_about_a_second(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = ftdist("status", "none", folder=tmp_path)
    took = time.monotonic() - begun
    assert done.returncode == 78
    assert done.stderr.splitlines()[0] == "There is no run 'none' under runs."
    assert took < 5  # a second on an idle machine


def test_missing_folders_are_reported_together_and_nothing_is_written(tmp_path: Path) -> None:
    words = ["train", "model.path=nowhere", "library.path=missing", "run.name=r"]
    done = ftdist(*words, "cluster.device=cpu", folder=tmp_path)
    assert done.returncode == 78
    assert "nowhere" in done.stderr
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_internal_error_prints_one_line_and_writes_a_file(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(cli.COMMANDS, "__init__", "has no main")
    assert cli.main(["__init__"]) == 70
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Internal error: AttributeError: ")
    (kept,) = tmp_path.glob("ftdist-traceback-*.txt")
    assert str(kept) in second
    assert "Traceback" in kept.read_text()


def test_ctrl_c_before_anything_runs_is_130(tmp_path: Path) -> None:
    code = (
        "import sys, types, ftdist.cli.main as cli\n"
        "def main(words):\n    raise KeyboardInterrupt\n"
        "sys.modules['ftdist.cli.commands.status'] = types.SimpleNamespace(main=main)\n"
        "sys.exit(cli.main(['status', 'r']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 130


def test_status_shows_state_step_and_the_cause_of_each_exit(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    run = made(tmp_path / "runs" / "r")
    launched = {"world_size": 2, "steps": 20, "host": "h"}
    run.append_event("attempt_started", attempt=1, **launched)
    killed = {"outcome": "requeue", "checkpoint": 10, "cause": "Rank 1 was killed."}
    run.append_event("attempt_finished", attempt=1, **killed)
    run.append_event("attempt_started", attempt=2, **launched)
    run.metrics.write_text('{"step": 11, "attempt": 1, "train/loss": 2.0}\n{"step": 12, "attemp')
    assert cli.main(["status", "r"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(
        "Run r: lost: the `ftdist` that ran it ended without recording an end.\n"
        "Step 11 of 20, loss 2.0000; under 0.1 process-hours in 2 attempts.\n"
    )
    assert "Rank 1 was killed." in output


def test_status_shows_damaged_checkpoints(tmp_path: Path, capsys: Captured) -> None:
    run = made(tmp_path / "r")
    run.append_event("checkpoint_corrupt", path="p", problem="step-8 is cut. 4 steps are lost.")
    assert cli.main(["status", str(run.root)]) == 0
    output = capsys.readouterr().out
    assert "Corrupt checkpoint set aside: step-8 is cut. 4 steps are lost.\n" in output


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        (["status", "R", "--foo"], "--foo is not a flag of `ftdist status`.", "--help"),
        (["logs", "R", "--rnk", "1"], "--rnk is not a flag of `ftdist logs`: did you", "--rank."),
        (
            ["check", "--jsno"],
            "--jsno is not a flag of `ftdist check`: did you mean",
            "write --json.",
        ),
        (
            ["-sc", "install=bash"],
            "-sc is not a flag of `ftdist`, which",
            "ftdist completion --help",
        ),
        (["status", "R", "foo=1"], "`ftdist status` takes no keys, but got foo.", "run `ftdist"),
        (
            ["compare", "R", "probes.jsonl"],
            "'probes.jsonl' is not of the form key=value.",
            "`ftdist compare R eval.probes=probes.jsonl`",
        ),
    ],
)
def test_unexpected_arguments_are_explained(
    words: list[str], first: str, second: str, capsys: Captured
) -> None:
    assert cli.main(words) == 78
    problem, remedy = capsys.readouterr().err.splitlines()
    assert problem.startswith(first)
    assert second in remedy


SECRET = "hf_" + "a1B2" * 6


@pytest.mark.parametrize(
    "words",
    [
        ["resume", "R", SECRET],
        ["resume", SECRET],
        ["status", "R", f"--{SECRET}"],
        [SECRET],
        [f"HF_TOKEN={SECRET}"],
    ],
)
def test_secret_like_values_are_refused_and_not_echoed(words: list[str], capsys: Captured) -> None:
    assert cli.main(words) == 78
    output = capsys.readouterr().err
    assert "looks like a secret" in output
    assert SECRET not in output


@pytest.mark.parametrize("verb", ["resume", "export"])
@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_malformed_plan_is_reported_as_damaged(
    verb: str, text: str | None, tmp_path: Path, capsys: Captured
) -> None:
    run = complete(tmp_path / "r")
    if text is not None:
        run.plan.write_text(text)
    assert cli.main([verb, str(run.root)]) == 74
    output = capsys.readouterr().err
    assert str(run.plan) in output
    assert "To fix: restore it from a backup" in output


def test_a_binary_config_is_reported_as_damaged_with_the_copy_to_restore(
    tmp_path: Path, capsys: Captured
) -> None:
    run = complete(tmp_path / "r")
    run.attempt(1).mkdir()
    copy = run.attempt(1) / "config.yaml"
    copy.write_bytes(run.config.read_bytes())
    run.config.write_bytes(b"run: \xff\xfe")
    assert cli.main(["resume", str(run.root)]) == 74
    assert f"To fix: copy {copy} there." in capsys.readouterr().err


def test_an_unreadable_file_exits_with_74(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(words: list[str]) -> int:
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr("ftdist.cli.commands.status.main", refused)
    assert cli.main(["status", "r"]) == 74
    assert capsys.readouterr().err.startswith(
        "Cannot read or write /some/file: Permission denied.\nTo fix: "
    )


@pytest.mark.parametrize("verb", ["resume", "export"])
def test_a_run_with_only_damaged_checkpoints_shows_how_to_repair_it(
    verb: str, tmp_path: Path, capsys: Captured
) -> None:
    run = complete(tmp_path / "r")
    run.plan.write_text(small_plan().to_json())
    (run.checkpoints / "step-00000004.damaged").mkdir()
    assert cli.main([verb, str(run.root)]) == 74
    output = capsys.readouterr().err
    assert "step-00000004.damaged" in output
    assert "or delete these folders and resume with" in output


def complete(root: Path) -> RunDir:
    run = made(root)
    words = ["model.path=m", "library.path=l", "run.name=r", "cluster.device=cpu"]
    run.config.write_text(dump_config(compose(fixed_engine(*words))))
    return run


def small_plan() -> Plan:
    words = ["model.path=m", "library.path=l", "run.name=r", "cluster.device=cpu"]
    config = compose(fixed_engine(*words))
    return plan_of(config, ranks=1)


def test_plan_help_is_about_plan(capsys: Captured) -> None:
    assert cli.main(["plan", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: ftdist plan ")


def test_plan_needs_no_name(capsys: Captured) -> None:
    assert cli.main(["plan", "model.path=nowhere"]) == 78
    output = capsys.readouterr().err
    assert "library.path is not set" in output
    assert "run.name" not in output


def test_version_is_a_word_and_a_flag(capsys: Captured) -> None:
    assert (cli.main(["version"]), cli.main(["--version"])) == (0, 0)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("ftdist ")


def test_quiet_shows_results_warnings_and_errors_only(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv(QUIET, "1")
    common.log("Downloading org/name from the hub.")
    common.log("Warning: no replay data.")
    common.report("Run r was stopped.")
    common.print_result("Run r is complete.")
    output = capsys.readouterr()
    assert output.out == "Run r is complete.\n"
    assert output.err == "Warning: no replay data.\nRun r was stopped.\n"


def test_quiet_hides_the_output_of_a_child_that_succeeds(tmp_path: Path) -> None:
    """And shows that of one that fails: the library does not exist."""
    keys = ("model.path=tiny", "library.path=tiny", "train.steps=3", "--json")
    done = ftdist("plan", *keys, "--quiet", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "prepare:" not in done.stderr
    assert json.loads(done.stdout)["steps"] == 3
