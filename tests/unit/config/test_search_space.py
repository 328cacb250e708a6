"""The space that `ftdist sweep` searches."""

import pytest

from ftdist.config.search_space import format_number, read_search_space
from ftdist.config.sweep_overrides import Interval
from ftdist.errors import ConfigError

NEEDED = ["run.name=lr", "model.path=m", "library.path=l"]


def test_intervals_and_choices_are_dimensions_and_the_rest_is_fixed() -> None:
    space = read_search_space(
        [
            *NEEDED,
            "optim.peak_lr=tag(log,interval(1e-5,1e-3))",
            "run.seed=range(1,4)",
            "engine=zero3",
        ]
    )
    assert (space.name, space.root, space.executor) == ("lr", "runs", "local")
    assert space.fixed == (*NEEDED, "engine=zero3")
    assert [each.text for each in space.dimensions] == ["1e-05 to 0.001 (logarithmic)", "1, 2, 3"]
    assert space.overrides({"optim.peak_lr": "0.0001", "run.seed": "2"}, name="lr-x") == [
        "model.path=m",
        "library.path=l",
        "engine=zero3",
        "optim.peak_lr=0.0001",
        "run.seed=2",
        "run.name=lr-x",
    ]


def test_both_ends_and_every_choice_are_checked_before_a_trial_starts() -> None:
    with pytest.raises(ConfigError) as caught:
        read_search_space([*NEEDED, "optim.beta1=interval(0.5,3)", "optim.beta2=0.9,4"])
    assert "optim.beta1=3 is out of range" in caught.value.problem
    assert "optim.beta2=4 is out of range" in caught.value.problem


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("run.seed=1", "Nothing is swept"),
        ("run.name=a,b", r"run\.name cannot be swept"),
        ("optim.peak_lr=interval(1e-3,1e-5)", "is empty"),
        ("optim.peak_lr=tag(log,interval(0,1e-3))", "is logarithmic, but begins at 0"),
        ("hydra/sweeper=optuna", "ftdist has no hydra/sweeper=optuna"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(override: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_search_space([*NEEDED, override])


def test_numbers_have_three_digits_and_stay_within_their_interval() -> None:
    interval = Interval(low=0.00012345, high=0.5, log=False, is_integer=False)
    assert format_number(0.0234567, interval) == "0.0235"
    assert format_number(0.000123451, interval) == "0.00012345"
    whole = Interval(low=1, high=2000, log=False, is_integer=True)
    assert format_number(1234, whole) == "1234"


def test_an_interval_of_one_bound_is_one_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        read_search_space([*NEEDED, "optim.peak_lr=interval(1e-4)"])
    assert caught.value.problem == "optim.peak_lr=interval(1e-4): an interval needs two bounds."
    assert "interval(1e-5,1e-3)" in caught.value.remedy
