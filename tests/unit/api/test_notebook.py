"""`import ftdist`: light, lazy, typed; a run's records as tables; the example notebook."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ftdist
from ftdist.config.saved_config import dump_config
from tests.support.runs.fake_runs import some_config

ROOT = Path(__file__).resolve().parents[3]


def python(code: str, *, cwd: Path, timeout_s: float = 60) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'launch'}"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_ftdist_loads_nothing_else(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import ftdist; print(set(sys.modules) - before)"
    assert python(code, cwd=tmp_path) == "{'ftdist'}\n"


def test_train_and_plan_are_functions_and_packages(tmp_path: Path) -> None:
    code = (
        "import inspect, ftdist, ftdist.plan.plan\n"
        "from ftdist import train, Run\n"
        "print(ftdist.plan.plan.Plan.__name__, list(inspect.signature(ftdist.plan).parameters))\n"
        "print(callable(train), list(inspect.signature(ftdist.train).parameters), Run.__name__)\n"
        "print('torch' in __import__('sys').modules)"
    )
    assert python(code, cwd=tmp_path) == (
        "Plan ['overrides', 'quiet']\nTrue ['overrides', 'quiet'] Run\nFalse\n"
    )


def test_every_name_has_its_types_and_its_place_in_the_reference() -> None:
    tree = ast.parse((ROOT / "ftdist" / "__init__.pyi").read_text())
    imported = [
        n.asname for each in tree.body if isinstance(each, ast.ImportFrom) for n in each.names
    ]
    assert sorted(name for name in imported if name) == sorted(ftdist.__all__)
    page = (ROOT / "docs" / "reference" / "python-api.md").read_text()
    assert [name for name in ftdist.__all__ if f"ftdist.{name}" not in page] == []
    methods = {name for name in vars(ftdist.Run) if not name.startswith("_")} - {"directory"}
    assert [name for name in methods if f"`.{name}" not in page] == []


def test_a_runs_records_are_tables(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "r"
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(dump_config(some_config()))
    rows = [{"step": 1, "train/loss": 3.0}, {"step": 2, "train/loss": 2.0}]
    again = {"step": 2, "train/loss": 1.5, "eval/held_out_loss": 1.25}
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, again]))
    run = ftdist.Run("r", root=tmp_path / "runs")
    assert run == ftdist.Run(path)
    metrics = run.metrics()
    assert metrics["train/loss"].to_dict() == {1: 3.0, 2: 1.5}
    assert metrics["eval/held_out_loss"].dropna().to_dict() == {2: 1.25}
    assert (run.name, run.config().run.name, run.status().state) == ("r", "r", "new")
    assert ftdist.runs(tmp_path / "runs")["state"].to_dict() == {"r": "new"}
    with pytest.raises(ftdist.FtdistError, match="was not compared") as caught:
        run.scores()
    assert caught.value.exit_code == 78
    with pytest.raises(ftdist.FtdistError, match="no run 'x'"):
        ftdist.Run("x", root=tmp_path / "runs")
    (path / "metrics.jsonl").unlink()
    assert run.metrics().empty
