"""The example notebook, cell by cell, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_example_notebook_runs(tmp_path: Path) -> None:
    notebook = json.loads((ROOT / "examples" / "notebook.ipynb").read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(c.get("outputs", []) == [] for c in notebook["cells"])
    checks = [
        "assert run.status().state == 'done' and len(metrics) == plan.steps",
        "assert scores.loc['fact_accuracy', 'tuned'] >= 0",
        "assert len(run.answers()) > 0 and (run.path / 'export' / 'config.json').is_file()",
        "print('all cells ran')",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n\n".join([*cells, *checks])],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'launch'}"},
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("all cells ran\n")
    assert "did you mean optim.peak_lr?" in done.stdout
