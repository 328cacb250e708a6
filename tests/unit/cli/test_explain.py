"""`ftdist explain`: meaning, valid values, and every place that sets a key."""

import json
from pathlib import Path

import pytest

from ftdist.cli.commands.explain import main
from ftdist.config.compose import compose
from ftdist.config.saved_config import dump_config
from ftdist.errors import ConfigError

Captured = pytest.CaptureFixture[str]


def explain(capsys: Captured, *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_shows_meaning_values_and_default(capsys: Captured) -> None:
    text = explain(capsys, "optim.schedule")
    assert "optim.schedule: Learning-rate schedule after warm-up." in text
    assert "  valid    one of cosine, linear, constant, wsd\n" in text
    assert "  default  cosine, from ftdist's conf/optim/cosine.yaml\n" in text
    assert "  known as lr_scheduler, lr_scheduler_type, scheduler\n" in text


def test_shows_every_place_that_sets_it_in_order(capsys: Captured) -> None:
    words = ("optim.schedule", "optim=wsd", "experiment=tiny", "optim.schedule=linear")
    text = explain(capsys, *words)
    places = [line.split()[-1] for line in text.splitlines() if " from " in line]
    assert places == [
        "conf/optim/cosine.yaml",
        "conf/optim/wsd.yaml",
        "(optim.schedule=linear)",
    ]


def test_the_last_place_is_the_composed_value(capsys: Captured) -> None:
    """For every key of an experiment, the last setting equals what Hydra composes."""
    config = compose(["experiment=tiny", "optim=wsd", "cluster=slurm"])
    for name in ("optim.peak_lr", "optim.schedule", "run.name", "cluster.signal_delay_s"):
        section, _, key = name.partition(".")
        words = ("experiment=tiny", "optim=wsd", "cluster=slurm", "--json")
        settings = json.loads(explain(capsys, name, *words))["settings"]
        assert float_or_text(settings[-1]["value"]) == getattr(getattr(config, section), key)


def float_or_text(value: object) -> object:
    """YAML reads 3e-3 as a text; the schema makes a number of it."""
    try:
        return float(str(value))
    except ValueError:
        return value


def test_shows_the_value_in_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    config = compose(["experiment=tiny", "optim.peak_lr=5e-4"])
    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    (tmp_path / "runs" / "tiny" / "config.yaml").write_text(dump_config(config))
    assert "  in run   tiny: 0.0005\n" in explain(capsys, "optim.peak_lr", "tiny")


def test_a_section_lists_its_keys_and_options(capsys: Captured) -> None:
    text = explain(capsys, "optim")
    assert "  optim.warmup_ratio: Fraction of all steps over which the learning rate rises" in text
    assert "Options: optim=cosine, optim=wsd" in text


def test_explains_keys_of_curate(capsys: Captured) -> None:
    assert "  used by  ftdist curate, expert\n" in explain(capsys, "clean.dedup")


def test_shows_all_commands_that_take_a_key_and_the_value_that_holds(capsys: Captured) -> None:
    text = explain(capsys, "optim.peak_lr", "experiment=tiny", "optim.peak_lr=1e-4")
    assert "  holds    0.0001\n  used by  ftdist train, expert, plan, submit, sweep\n" in text
    assert "  holds " not in explain(capsys, "optim.peak_lr")


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("lr", "write `ftdist explain optim.peak_lr`."),
        ("library.nme", "write `ftdist explain library.name`."),
        ("warmup_steps", "set optim.warmup_ratio"),
        ("nope.nix", "see `ftdist train --help` and `ftdist curate --help` for all keys."),
    ],
)
def test_an_unknown_key_gets_the_nearest(typed: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        main([typed])
    assert remedy in caught.value.remedy


def test_an_unknown_option_is_one_sentence() -> None:
    with pytest.raises(ConfigError):
        main(["optim.peak_lr", "experiment=tinny"])
