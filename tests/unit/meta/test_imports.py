"""A login node answers at once: what it runs loads none of the heavy packages."""

import pkgutil
import subprocess
import sys

import ftdist_launch
import pytest

import ftdist.cli
import ftdist.config

HEAVY = ("torch", "deepspeed", "transformers", "wandb", "datasets")

CHILDREN_ONLY = {"ftdist_launch.setup.download_model"}
"""Modules that only child processes run."""

LIGHT = [
    "ftdist.rundir",
    "ftdist.errors",
    "ftdist.checkpoint.store",
    "ftdist.observe.metrics",
    *(
        module.name
        for package in (ftdist.cli, ftdist.config, ftdist_launch)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        if module.name not in CHILDREN_ONLY
    ),
]


def loaded_by(statement: str) -> list[str]:
    code = f"import sys\n{statement}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()[-1].split()


def test_login_node_modules_load_no_heavy_package() -> None:
    imports = "\n".join(f"import {name}" for name in LIGHT)
    assert loaded_by(imports) == []


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["train", "optim.peak_lrr=1"]])
def test_a_command_that_starts_nothing_loads_no_heavy_package(words: list[str]) -> None:
    statement = f"from ftdist.cli.main import main\nmain({words!r})"
    assert loaded_by(statement) == []


def test_submitting_a_job_loads_no_heavy_package() -> None:
    assert loaded_by("import submitit\nsubmitit.LocalExecutor") == []
