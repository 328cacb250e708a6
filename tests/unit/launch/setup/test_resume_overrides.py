"""Keys that a resume changes, and those that it may not."""

import pytest

from ftdist.config.resume_keys import MAY_CHANGE
from ftdist.config.saved_config import override_config
from ftdist.errors import ConfigError
from tests.support.runs.fake_runs import some_config


@pytest.mark.fault("C9")
def test_keys_that_would_change_the_run_are_refused_with_all_other_problems() -> None:
    with pytest.raises(ConfigError) as caught:
        override_config(
            some_config(),
            ["optim.peak_lr=1", "cluster.tasks_per_nodes=2", "cluster.tasks_per_node=3"],
            allowed=MAY_CHANGE,
        )
    assert "optim.peak_lr cannot change in an existing run" in caught.value.problem
    assert "Write cluster.tasks_per_node=2" in caught.value.problem


def test_allowed_keys_change_and_the_rest_stays() -> None:
    before = some_config()
    after = override_config(
        before, ["cluster.tasks_per_node=3", "checkpoint.every_steps=5"], allowed=MAY_CHANGE
    )
    assert after.cluster.tasks_per_node == 3
    assert after.checkpoint.every_steps == 5
    assert after.optim == before.optim
    assert after.run == before.run


def test_an_allowed_key_with_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cluster\.tasks_per_node=0"):
        override_config(some_config(), ["cluster.tasks_per_node=0"], allowed=MAY_CHANGE)


def test_strings_and_choices_are_taken_literally() -> None:
    asked = ["tracking.wandb=off", "tracking.project=007", "tracking.tags=[off,1]"]
    tracking = override_config(some_config(), asked, allowed=MAY_CHANGE).tracking
    assert (tracking.wandb, tracking.project, tracking.tags) == ("off", "007", ["off", "1"])
    asked = ["tracking.entity=null", "checkpoint.every_steps=1k"]
    after = override_config(some_config("tracking.entity=me"), asked, allowed=MAY_CHANGE)
    assert after.tracking.entity is None
    assert after.checkpoint.every_steps == 1000


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("[2]", "merge.alphas holds 2, which is out of range."),
        ("[0.5,-0.1]", "merge.alphas holds -0.1, which is out of range."),
        ("[half]", "merge.alphas holds half, which is not a number."),
        ("[0.5,true]", "merge.alphas holds true, which is not a number."),
        ("[a=1]", "merge.alphas holds a=1, which is not a number."),
        ("[]", "merge.alphas=[] is empty."),
        ("0.5", "merge.alphas=0.5 is not a list of numbers."),
    ],
)
def test_list_values_are_checked_one_by_one_with_their_range(asked: str, problem: str) -> None:
    typed = f"merge.alphas={asked}"
    with pytest.raises(ConfigError) as new:
        some_config(typed)
    with pytest.raises(ConfigError) as later:
        override_config(some_config(), [typed], allowed=("merge.",))
    for error in (new.value, later.value):
        assert error.problem == problem
        numbers = "a list of numbers, each at least 0 and at most 1, such as [0.4,0.8]"
        right = (
            "write 'merge.alphas=[0.5]'." if asked == "0.5" else f"set merge.alphas to {numbers}."
        )
        assert error.remedy == right


@pytest.mark.parametrize(
    ("asked", "output"),
    [
        (["tracking=off"], ["write tracking.wandb=off"]),
        (["optim=wsd"], ["selects a group", "leave it out"]),
        (
            ["cluster.nods=1", "checkpoint.keep_latest=x"],
            ["cluster.nods is not", "checkpoint.keep_latest=x"],
        ),
        (["checkpoint.keep_latest="], ["checkpoint.keep_latest= has no value"]),
        (["tracking.project=${oc.env:HF_TOKEN}"], ["tracking.project holds a ${...}"]),
        (
            ["tracking.project=a,b"],
            ["put quotes around it: 'tracking.project=\"a,b\"'", "only `ftdist train -m` and"],
        ),
    ],
)
def test_problems_of_a_resume_are_reported_at_once(asked: list[str], output: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        override_config(some_config(), asked, allowed=MAY_CHANGE)
    for words in output:
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["tracking.project", "tracking.api_key", "tracking.tags"])
def test_a_secret_in_a_resume_override_is_refused_and_not_echoed(name: str) -> None:
    secret = "hf_" + "a1B2" * 6
    with pytest.raises(ConfigError) as caught:
        override_config(some_config(), [f"{name}={secret}", "cluster.nodes=x"], allowed=MAY_CHANGE)
    assert "looks like a secret" in str(caught.value)
    assert "cluster.nodes=x" in str(caught.value)
    assert secret not in str(caught.value)
