"""Sweeps, and hydra's own flags."""

import pytest

from ftdist.config.compose import (
    compose,
    hydra_flags,
    is_sweep,
    run_hydra_flags,
    sweep,
)
from ftdist.errors import ConfigError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def test_a_sweep_expands_into_runs_with_unique_names() -> None:
    runs = sweep(["-m", *NEEDED, "optim.peak_lr=1e-4,1e-5", "engine=zero3,zero3_offload"])
    assert [run[2:] for run in runs] == [
        ["optim.peak_lr=0.0001", "engine=zero3", "run.name=r-0"],
        ["optim.peak_lr=0.0001", "engine=zero3_offload", "run.name=r-1"],
        ["optim.peak_lr=1e-05", "engine=zero3", "run.name=r-2"],
        ["optim.peak_lr=1e-05", "engine=zero3_offload", "run.name=r-3"],
    ]
    assert compose(runs[3]).optim.peak_lr == 1e-5


def test_a_sweep_over_names_keeps_them_and_an_experiment_gives_one() -> None:
    named = sweep([*NEEDED[1:], "run.name=a,b", "--multirun"])
    assert named == [[*NEEDED[1:], "run.name=a"], [*NEEDED[1:], "run.name=b"]]
    assert sweep(["experiment=tiny", "run.seed=range(1,3)"]) == [
        ["experiment=tiny", "run.seed=1", "run.name=tiny-0"],
        ["experiment=tiny", "run.seed=2", "run.name=tiny-1"],
    ]


def test_a_sweep_reports_the_problems_of_all_its_runs() -> None:
    with pytest.raises(ConfigError) as caught:
        sweep([*NEEDED, "optim.beta1=0.9,2,3", "optim.peek_lr=1"])
    assert "optim.beta1=2 is out of range" in caught.value.problem
    assert "optim.beta1=3 is out of range" in caught.value.problem
    assert caught.value.problem.count("optim.peek_lr is not a key") == 1


def test_a_sweep_refuses_contradictions_and_intervals() -> None:
    for override in ("run.seed=4,5", "optim.beta1=interval(0,1)"):
        with pytest.raises(ConfigError):
            sweep([*NEEDED, "run.seed=3", override])


def test_hydra_flags_are_distinguished_from_overrides() -> None:
    assert hydra_flags(["--cfg", "job"])
    assert hydra_flags(["--cfg=job"])
    assert hydra_flags(["run.name=a", "-h"])
    assert not hydra_flags(["run.name=-h", "-m"])
    assert is_sweep(["run.seed=1,2", "-m"])


def test_cfg_job_shows_the_composed_config_and_unset_keys() -> None:
    shown = run_hydra_flags(["optim.peak_lr=0.25", "--cfg", "job", "train.steps=5"])
    assert "peak_lr: 0.25" in shown
    assert "epochs: null" in shown
    assert "path: ???" in shown
    assert "hydra:" not in shown
    assert "peak_lr: 0.25" in run_hydra_flags(["--cfg", "job", "-p", "optim", "optim.peak_lr=0.25"])


def test_cfg_checks_the_overrides_first() -> None:
    with pytest.raises(ConfigError, match=r"did you mean optim\.peak_lr"):
        run_hydra_flags(["--cfg", "job", "optim.peek_lr=1"])


def test_info_and_hydra_overrides_work() -> None:
    assert "zero3" in run_hydra_flags(["--info", "defaults", "hydra.job.name=x"])
    assert "name: x" in run_hydra_flags(["--cfg", "hydra", "hydra.job.name=x"])
    assert compose([*NEEDED, "hydra.job.name=x"]).run.name == "r"


def test_a_flag_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ConfigError, match="--config-dir"):
        run_hydra_flags(["--config-dir", "/x"])
    with pytest.raises(ConfigError, match="invalid choice: 'jbo'"):
        run_hydra_flags(["--cfg", "jbo"])


def test_help_lists_groups_and_keys_with_their_meanings() -> None:
    text = run_hydra_flags(["--help"])
    assert "engine: zero3, zero3_offload" in text
    assert "optim.beta1 [0.9]: a number of at least 0 and below 1" in text
    assert "Decay rate of AdamW's first moment." in text
    assert "model.path [not set]: a text" in text
