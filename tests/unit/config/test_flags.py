"""Hydra's own flags."""

import pytest

from ftdist.config.compose import (
    compose,
    hydra_flags,
    run_hydra_flags,
)
from ftdist.errors import ConfigError

NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def test_hydra_flags_are_distinguished_from_overrides() -> None:
    assert hydra_flags(["--cfg", "job"])
    assert hydra_flags(["--cfg=job"])
    assert hydra_flags(["run.name=a", "-h"])
    assert not hydra_flags(["run.name=-h", "-m"])


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
