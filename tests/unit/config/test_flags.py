"""Hydra's own flags."""

import pytest

from ftdist.config.hydra_flags import hydra_flags, run_hydra_flags
from ftdist.config.keys import CURATE
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


def test_info_and_cfg_hydra_work() -> None:
    assert "engine/auto" in run_hydra_flags(["--info", "defaults"])
    assert "config_name: train" in run_hydra_flags(["--cfg", "hydra"])


def test_a_flag_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--config-name\.\nTo fix: put your values in conf/exp"):
        run_hydra_flags(["--config-name", "x"])
    with pytest.raises(ConfigError, match="invalid choice: 'jbo'"):
        run_hydra_flags(["--cfg", "jbo"])
    with pytest.raises(ConfigError, match=r"--resolve needs --cfg"):
        run_hydra_flags(["--resolve"])
    with pytest.raises(ConfigError, match=r"optimm is no section or key: did you mean optim\?"):
        run_hydra_flags(["--cfg", "job", "-p", "optimm"])


def test_hydra_help_names_the_flags_that_work_and_no_other() -> None:
    text = run_hydra_flags(["--hydra-help"])
    flags = {line.split()[0] for line in text.splitlines() if line.startswith("  -")}
    assert flags == {
        "-h,",
        "--hydra-help",
        "--version",
        "-c",
        "-p",
        "--resolve",
        "-i",
        "-cd",
        "-m,",
    }
    assert "-m, --multirun" not in run_hydra_flags(["--hydra-help"], command=CURATE)
    assert all(len(line) <= 88 for line in text.splitlines())


def test_help_shows_the_composed_values_and_only_the_sections_that_are_named() -> None:
    text = run_hydra_flags(["experiment=tiny", "--help", "optim", "batch.tokens"])
    assert "  optim.peak_lr [0.003]: a number" in text
    assert "  batch.tokens [1024]: " in text
    assert "  optim: cosine, wsd" in text
    assert "batch.sequence_length" not in text
    assert "model.path" not in text
    curation = run_hydra_flags(["--help", "retention"], command=CURATE)
    assert "retention: none, recommended" in curation
    assert "library.name" not in curation
    with pytest.raises(ConfigError, match=r"optm is no section or key: did you mean optim\?"):
        run_hydra_flags(["--help", "optm"])


def test_help_lists_groups_and_keys_with_their_meanings() -> None:
    text = run_hydra_flags(["--help"])
    assert "engine: auto, zero3, zero3_offload" in text
    assert "optim.beta1 [0.9]: a number of at least 0 and below 1" in text
    assert "Decay rate of AdamW's first moment." in text
    assert "model.path [not set]: a text" in text
