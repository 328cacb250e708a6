"""Sweeps: the runs that a command line stands for."""

import pytest

from ftdist.config.compose import compose
from ftdist.config.sweep import is_sweep, sweep
from ftdist.errors import ConfigError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def test_a_sweep_is_asked_for_with_m_or_multirun() -> None:
    assert is_sweep(["run.seed=1,2", "-m"])
    assert is_sweep(["--multirun", "run.seed=1,2"])
    assert not is_sweep(["run.seed=1,2"])


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
