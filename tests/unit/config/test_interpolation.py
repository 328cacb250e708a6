"""References to other keys: `${optim.peak_lr}`."""

import pytest

from ftdist.config.compose import compose
from ftdist.config.hydra_flags import run_hydra_flags
from ftdist.config.saved_config import override_config
from ftdist.errors import ConfigError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def _refused(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        compose([*NEEDED, *overrides])
    return str(caught.value)


def test_a_reference_takes_the_value_that_the_other_key_ends_up_with() -> None:
    config = compose(
        [
            *NEEDED[1:],
            "run.name=lr-${optim.peak_lr}-${hydra:runtime.choices.optim}-${.seed}",
            "batch.tokens=${batch.sequence_length}",
            "tracking.tags=[${run.seed},x]",
            "experiment=tiny",
            "optim=wsd",
            "run.seed=7",
            "cluster.tasks_per_node=1",
        ]
    )
    assert config.run.name == "lr-0.003-wsd-7"
    assert config.batch.tokens == 256
    assert config.tracking.tags == ["7", "x"]


def test_a_reference_to_the_default_name_of_a_run_has_it() -> None:
    config = compose([*NEEDED[1:], "run.root=/x/${run.name}"], name="plan")
    assert (config.run.name, config.run.root) == ("plan", "/x/plan")


def test_a_reference_without_a_value_is_refused_with_the_nearest_key() -> None:
    assert _refused("run.root=${optim.peek_lr}") == (
        "run.root refers to ${optim.peek_lr}, which is no key: did you mean optim.peak_lr?\n"
        "To fix: write ${optim.peak_lr}."
    )
    assert "refers to ${nope}, which is no key." in _refused("run.root=${nope}")
    assert "there is no resolver shell" in _refused("run.root=${shell:ls}")
    assert "has a ${ without a }" in _refused("run.root=${run.name")
    with pytest.raises(ConfigError, match=r"without a value: model\.path is not set"):
        compose(["run.name=r", "library.path=${model.path}"])


def test_a_value_of_the_wrong_kind_is_refused_also_through_a_reference() -> None:
    assert "run.seed=runs is not a whole number" in _refused("run.seed=${run.root}")


@pytest.mark.parametrize(
    "reference",
    [
        "${oc.env:MY_VALUE}",
        "x-${oc.env:${run.root}_${run.seed}}",
        "${${run.root}.env:MY_VALUE}",
        "${oc.env:M,d}",
    ],
)
def test_no_reference_reads_a_variable_that_may_hold_a_secret(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_VALUE", "hunter2")
    answer = _refused("run.root=oc", f"library.system_prompt={reference}")
    assert "from the environment, which may hold a secret" in answer
    assert "hunter2" not in answer
    with pytest.raises((ConfigError, ValueError)) as caught:
        run_hydra_flags(["run.root=oc", f"library.system_prompt={reference}", "--cfg=job"])
    assert "hunter2" not in str(caught.value)


def test_a_reference_reads_the_variables_of_people_and_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCRATCH", "/scratch/ann")
    monkeypatch.delenv("WORK", raising=False)
    config = compose([*NEEDED, "run.root=${oc.env:SCRATCH}/${oc.env:WORK,none}"])
    assert config.run.root == "/scratch/ann/none"


def test_an_existing_run_takes_no_reference() -> None:
    with pytest.raises(ConfigError, match="write the value itself"):
        override_config(compose(NEEDED), ["cluster.nodes=${run.seed}"], allowed=("cluster.",))
