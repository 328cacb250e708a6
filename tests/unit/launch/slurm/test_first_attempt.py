"""The first attempt of a job learns which GPU it has, and plans for that one."""

from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.setup.run_setup import read_plan, write_first_plan
from ftdist_launch.slurm import first_attempt

from ftdist.config.compose import compose
from ftdist.config.saved_config import load_config, save_config
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from tests.unit.launch.setup.test_preflight import model_folder
from tests.unit.plan.test_recipe import library, source

ANSWERS = library(source(tokens=10_240, sequences=80, answered=100, answers=100), length=128)
# The head's gradient alone: 65,536 x 262,144 x 2 bytes are 32 GiB.
LARGE = {"hidden_size": 65_536, "num_hidden_layers": 1, "vocab_size": 262_144}
SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 16}


def submitted(folder: Path, sizes: dict[str, int]) -> RunDir:
    """As `ftdist submit` leaves a run whose GPU nobody has named."""
    model_folder(folder / "m", **sizes)  # type: ignore[arg-type]
    run = RunDir(folder / "r")
    run.create(private=True)
    words = ("run.name=r", f"model.path={folder}/m", "library.path=l", "cluster=slurm")
    asked = ("cluster.partition=p", "cluster.device=cuda", "engine.offload_optimizer=false")
    save_config(compose([*words, *asked, "engine.offload_parameters=false"]), run.config)
    write_first_plan(run, load_config(run.config), library=ANSWERS, log=lambda _: None)
    return run


def test_a_run_that_does_not_fit_the_gpu_of_its_node_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = submitted(tmp_path, LARGE)
    monkeypatch.setattr(first_attempt, "driver_gpu", lambda: "NVIDIA L4")
    config, before = load_config(run.config), read_plan(run)
    with pytest.raises(ConfigError, match=r"the GPU has 22\.50 GiB"):
        first_attempt.resolve_device(run, config)
    assert (load_config(run.config), read_plan(run)) == (config, before)


def test_a_run_that_fits_is_planned_for_the_gpu_of_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = submitted(tmp_path, SMALL)
    monkeypatch.setattr(first_attempt, "driver_gpu", lambda: "NVIDIA L4")
    config = first_attempt.resolve_device(run, load_config(run.config))
    assert config.cluster.gpu == "NVIDIA L4"
    assert load_config(run.config) == config
    assert "L4, 22.5 GiB, by cluster.gpu" in read_plan(run).hardware


def test_an_instance_of_a_gpu_needs_its_memory_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = submitted(tmp_path, SMALL)
    monkeypatch.setattr(first_attempt, "driver_gpu", lambda: "NVIDIA A100-SXM4-80GB")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7089d0f3-293f-58c9-8f8c-5ea666eedbde")
    config = load_config(run.config)
    with pytest.raises(ConfigError, match="MIG instances"):
        first_attempt.resolve_device(run, config)
    named = replace(config, cluster=replace(config.cluster, gpu_memory_gib=10))
    first_attempt.resolve_device(run, named)
    assert "A100, 10 GiB, by cluster.gpu" in read_plan(run).hardware
