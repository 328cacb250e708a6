"""Sweeps: the runs that a command line stands for."""

import re

import pytest

from ftdist.config.compose import compose
from ftdist.config.schema.types import NAME_PATTERN
from ftdist.config.sweep import is_sweep, read_sweep, run_name
from ftdist.config.sweep_flags import run_sweep_flags
from ftdist.errors import ConfigError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def names(*words: str) -> list[str]:
    return [run.name for run in read_sweep([*NEEDED, *words, "-m"]).runs]


def test_a_sweep_is_asked_for_with_m_or_multirun() -> None:
    assert is_sweep(["run.seed=1,2", "-m"])
    assert is_sweep(["--multirun", "run.seed=1,2"])
    assert not is_sweep(["run.seed=1,2"])


def test_a_sweep_has_a_run_for_each_combination_named_after_its_values() -> None:
    sweep = read_sweep(["-m", *NEEDED, "optim.peak_lr=1e-4,1e-5", "engine=zero3,zero3_offload"])
    assert sweep.name == "r"
    assert [run.overrides[2:] for run in sweep.runs] == [
        ("optim.peak_lr=0.0001", "engine=zero3", "run.name=r-peak_lr-0.0001-engine-zero3"),
        (
            "optim.peak_lr=0.0001",
            "engine=zero3_offload",
            "run.name=r-peak_lr-0.0001-engine-zero3_offload",
        ),
        ("optim.peak_lr=1e-05", "engine=zero3", "run.name=r-peak_lr-1e-05-engine-zero3"),
        (
            "optim.peak_lr=1e-05",
            "engine=zero3_offload",
            "run.name=r-peak_lr-1e-05-engine-zero3_offload",
        ),
    ]
    assert compose(sweep.runs[3].overrides).optim.peak_lr == 1e-5
    assert sweep.runs[3].swept == {"optim.peak_lr": "1e-05", "engine": "zero3_offload"}


def test_lists_choices_ranges_and_globs_are_expanded() -> None:
    assert names("run.seed=choice(4,5)") == ["r-seed-4", "r-seed-5"]
    assert names("run.seed=range(1,4)") == ["r-seed-1", "r-seed-2", "r-seed-3"]
    assert names("optim.beta1=range(0.1,0.35,0.1)") == ["r-beta1-0.1", "r-beta1-0.2", "r-beta1-0.3"]
    assert names("engine=glob(*off*)", "run.seed=1,2") == [
        "r-engine-zero3_offload-seed-1",
        "r-engine-zero3_offload-seed-2",
    ]


def test_a_sweep_over_names_keeps_them_and_an_experiment_gives_one() -> None:
    named = read_sweep([*NEEDED[1:], "run.name=lr-a,lr-b", "--multirun"])
    assert [run.overrides for run in named.runs] == [
        (*NEEDED[1:], "run.name=lr-a"),
        (*NEEDED[1:], "run.name=lr-b"),
    ]
    assert named.name == "lr"
    assert [run.name for run in read_sweep(["experiment=tiny", "run.seed=1,2"]).runs] == [
        "tiny-seed-1",
        "tiny-seed-2",
    ]


def test_the_last_override_of_a_key_counts() -> None:
    assert names("run.seed=7", "run.seed=1,2") == ["r-seed-1", "r-seed-2"]
    assert names("run.seed=1,2", "run.seed=7") == ["r"]


def test_names_of_runs_are_valid_unique_and_within_64_characters() -> None:
    assert run_name("r", {"model.path": "/models/Smol LM2/", "optim.betas": "[0.9,0.95]"}) == (
        "r-path-Smol_LM2-betas-0.9_0.95"
    )
    assert run_name("r", {"eval.every": "1", "save.every": "2"}) == "r-eval.every-1-save.every-2"
    long = names("library.path=" + ",".join(f"/data/{'x' * 70}{number}" for number in (1, 2)))
    assert long == [f"r-path-{'x' * 55}-1", f"r-path-{'x' * 55}-2"]
    assert all(re.match(NAME_PATTERN, name) and len(name) == 64 for name in long)


def test_a_sweep_reports_the_problems_of_all_its_runs() -> None:
    with pytest.raises(ConfigError) as caught:
        read_sweep([*NEEDED, "optim.beta1=0.9,2,3", "optim.peek_lr=1"])
    assert "optim.beta1=2 is out of range" in caught.value.problem
    assert "optim.beta1=3 is out of range" in caught.value.problem
    assert caught.value.problem.count("optim.peek_lr is not a key") == 1


def test_an_interval_is_refused_with_the_command_that_searches_it() -> None:
    with pytest.raises(ConfigError) as caught:
        read_sweep([*NEEDED, "optim.peak_lr=interval(1e-5,1e-3)"])
    assert "optim.peak_lr=interval(1e-5,1e-3) is a range to search" in caught.value.problem
    assert "`ftdist sweep 'optim.peak_lr=interval(1e-5,1e-3)'" in caught.value.remedy


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("hydra/launcher=submitit_slurm", "`ftdist submit -m ... cluster=slurm`"),
        ("hydra/launcher=submitit_local", "`ftdist train -m` trains the runs one after another"),
        ("hydra.launcher.partition=gpu", "`ftdist submit -m ... cluster=slurm`"),
        ("hydra/sweeper=optuna", "`ftdist sweep"),
        ("hydra.sweeper.n_trials=20", "--trials 20"),
        ("hydra.sweeper.params.run.seed=[1]", "write the values as overrides"),
    ],
)
def test_launchers_and_sweepers_of_hydra_are_refused_with_what_to_write(
    override: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match="ftdist has no hydra") as caught:
        read_sweep([*NEEDED, "run.seed=1,2", override])
    assert remedy in caught.value.remedy


def test_hydras_basic_launcher_and_sweeper_are_what_a_sweep_does() -> None:
    basic = ("hydra/launcher=basic", "hydra/sweeper=basic")
    assert names("run.seed=1,2", *basic) == ["r-seed-1", "r-seed-2"]


def test_cfg_job_shows_the_config_of_every_run_of_a_sweep() -> None:
    shown = run_sweep_flags(
        ["-m", *NEEDED, "run.seed=range(1,3)", "--cfg", "job", "-p", "run"], verb="train"
    )
    first, second = shown.split("---\n")
    assert first.startswith("# Run r-seed-1\n")
    assert "seed: 1" in first
    assert "name: r-seed-2" in second
    assert "Usage: ftdist train" in run_sweep_flags(["-m", "--help"], verb="train")
