"""The config of a run has numbers once its library is known, and resuming finds the same ones."""

from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.setup.machine_plan import check_memory, plan_again
from ftdist_launch.setup.run_setup import read_plan, write_first_plan

from ftdist.config.compose import compose
from ftdist.config.saved_config import load_config, save_config
from ftdist.config.schema import RunConfig
from ftdist.config.schema.training import Attention
from ftdist.errors import ConfigError, ModelError
from ftdist.plan.hardware import find_hardware
from ftdist.plan.model_info import read_model_info
from ftdist.rundir import RunDir
from tests.unit.launch.setup.test_preflight import model_folder
from tests.unit.plan.test_recipe import library, source

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 16}
ANSWERS = library(source(tokens=10_240, sequences=80, answered=100, answers=100), length=128)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """As submitted: the library is not tokenised, and the config says auto."""
    model_folder(tmp_path / "m", **SIZES)  # type: ignore[arg-type]
    run = RunDir(tmp_path / "r")
    run.create(private=True)
    needed = ("run.name=r", f"model.path={tmp_path}/m", "library.path=l", "cluster.device=cpu")
    save_config(compose([*needed, "cluster.tasks_per_node=2"]), run.config)
    return run


def numbers(config: RunConfig) -> tuple[object, ...]:
    batch, train = config.batch, config.train
    return (batch.tokens, batch.sequence_length, config.optim.peak_lr, train.exposures, train.steps)


def test_the_first_plan_writes_numbers_in_place_of_auto(run: RunDir) -> None:
    submitted = load_config(run.config)
    assert numbers(submitted) == ("auto", "auto", "auto", None, None)
    said: list[str] = []
    plan = write_first_plan(run, submitted, library=ANSWERS, log=said.append)
    # 54 x 10,240 = 552,960 tokens; 1,024 sqrt(552,960 / 170,000) = 1,847 = 7.2 x (2 x 128)
    assert numbers(load_config(run.config)) == (1792, 128, 3e-3, 54, None)
    assert plan.steps == 309  # 54 x 80 rows / 14
    assert said == [
        "Chosen for this library and model: batch.tokens=1792 batch.sequence_length=128 "
        "optim.peak_lr=0.003 train.exposures=54"
    ]
    # A later attempt plans from the config, and comes to the same.
    config, again = plan_again(load_config(run.config), plan, library=ANSWERS, device="cpu")
    assert config == load_config(run.config)
    assert again == plan == read_plan(run)


@pytest.mark.parametrize("kernel", ["varlen", "flash_attention_2", "kernels-community/flash-attn2"])
def test_a_kernel_of_gpus_is_refused_in_the_plan_of_a_run_on_cpus(
    run: RunDir, kernel: Attention
) -> None:
    config = load_config(run.config)
    config = replace(config, model=replace(config.model, attention=kernel))
    with pytest.raises(ModelError) as caught:
        write_first_plan(run, config, library=ANSWERS, log=lambda _: None)
    assert caught.value.problem == f"model.attention={kernel} cannot be used: it runs on GPUs only."


def test_a_run_on_other_ranks_chooses_its_engine_again_and_keeps_what_was_typed(
    run: RunDir,
) -> None:
    typed = load_config(run.config)
    typed = replace(typed, engine=replace(typed.engine, prefetch_bucket_size=7))
    plan = write_first_plan(run, typed, library=ANSWERS, log=lambda _: None)
    config = load_config(run.config)
    moved = replace(config, cluster=replace(config.cluster, device="cuda", gpu="H100"))
    changed, again = plan_again(moved, plan, library=ANSWERS, device="cuda")
    # All parameters of so small a model stay on every rank.
    assert config.engine.param_persistence_threshold == 100_000
    assert changed.engine.param_persistence_threshold == 2
    assert changed.engine.prefetch_bucket_size == 7
    assert changed.engine.communication_dtype == config.engine.communication_dtype
    assert (again.steps, again.hardware) == (plan.steps, "H100, 80 GiB, by cluster.gpu")
    assert {c.key for c in again.choices} == {c.key for c in plan.choices}
    # On the same machine, nothing is chosen again.
    assert plan_again(changed, again, library=ANSWERS, device="cuda") == (changed, again)


def test_too_few_steps_are_refused_once_the_library_is_known(run: RunDir) -> None:
    config = load_config(run.config)
    few = replace(config, batch=replace(config.batch, tokens=128 * 2000))
    with pytest.raises(ConfigError, match="Only 3 steps of 256,000 tokens come out of"):
        write_first_plan(run, few, library=ANSWERS, log=lambda _: None)
    assert numbers(load_config(run.config)) == ("auto", "auto", "auto", None, None)
    insisted = replace(few, train=replace(few.train, steps=3))
    assert write_first_plan(run, insisted, library=ANSWERS, log=lambda _: None).steps == 3


def test_a_plan_that_cannot_be_written_leaves_a_config_with_numbers(run: RunDir) -> None:
    run.plan.mkdir()  # the disk refuses it
    with pytest.raises(IsADirectoryError):
        write_first_plan(run, load_config(run.config), library=ANSWERS, log=lambda _: None)
    assert "auto" not in numbers(load_config(run.config))


def test_a_plan_above_the_memory_of_cpus_is_warned_about(run: RunDir) -> None:
    small = load_config(run.config)
    plan = write_first_plan(run, small, library=ANSWERS, log=lambda _: None)
    said: list[str] = []
    for has_gib in (plan.device_gib * 2, plan.device_gib / 2, None):
        hardware = replace(find_hardware(small.cluster, device="cpu"), memory_gib=has_gib)
        model = read_model_info(Path(small.model.path))
        check_memory(small, plan, hardware=hardware, model=model, log=said.append)
    (warning,) = said
    assert warning.startswith("Warning: a rank on CPUs needs about ")
    assert "cluster.gpu=H100 cluster.device=cuda" in warning


def test_a_run_that_nearly_fills_a_known_gpu_is_warned_about(run: RunDir) -> None:
    small = load_config(run.config)
    plan = write_first_plan(run, small, library=ANSWERS, log=lambda _: None)
    small, model = load_config(run.config), read_model_info(Path(small.model.path))
    gpu = find_hardware(replace(small.cluster, gpu="H100"), device="cuda")
    said: list[str] = []
    for gib in (72.0, 72.5):  # 80 x 90 % are 72
        full = replace(plan, device="cuda", device_gib=gib - 2, outside_gib=2.0)
        check_memory(small, full, hardware=gpu, model=model, log=said.append)
        assumed = replace(gpu, is_assumed=True)
        check_memory(small, full, hardware=assumed, model=model, log=said.append)
    (warning,) = said
    assert warning.startswith("Warning: a rank needs about 72.50 GiB of the GPU's 80.00 GiB; above")
