"""Commands that start something name the user's own config files that took part, once."""

from pathlib import Path

import pytest

from ftdist.cli.main import main
from ftdist.config.search_path import conf_dir

RUN = ("run.name=r", "model.path=missing", "library.path=missing")
COMMANDS = {
    "train": RUN,
    "submit": (*RUN, "cluster=slurm"),
    "plan": RUN,
    "curate": ("library.name=l", "library.sources=[missing]", "model.path=missing"),
    "expert": ("sources=missing", "model=missing", "name=r", "--dry-run"),
}
LEAD = "Your own config files take part: "


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose conf/ happens to have names of ftdist's options, among others."""
    monkeypatch.chdir(tmp_path)
    for name in ("model/default", "retention/none", "retention/recommended", "optim/cosine"):
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((conf_dir() / f"{name}.yaml").read_bytes())
    extended = "defaults: [wsd, _self_]\npeak_lr: 0.001\n"
    (tmp_path / "conf" / "optim" / "mine.yaml").write_text(extended)


def note(verb: str, *words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The files that a command names, on stderr; it then fails, for want of a model."""
    assert main([verb, *COMMANDS[verb], *words]) != 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if LEAD in line]
    return line.removeprefix(LEAD)


@pytest.mark.parametrize("verb", ["train", "submit", "plan"])
def test_a_run_names_the_files_of_its_config(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert note(verb, capsys=capsys) == (
        "conf/model/default.yaml (in place of ftdist's), "
        "conf/optim/cosine.yaml (in place of ftdist's)."
    )


def test_a_file_with_a_name_of_its_own_replaces_none(capsys: pytest.CaptureFixture[str]) -> None:
    named = note("plan", "optim=mine", capsys=capsys)
    assert "conf/optim/mine.yaml" in named
    assert "conf/optim/mine.yaml (" not in named


def test_the_files_of_a_sweep_are_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    named = note("train", "-m", "optim=cosine,mine", capsys=capsys)
    names = ("model/default.yaml", "optim/cosine.yaml", "optim/mine.yaml")
    assert [named.count(name) for name in names] == [1, 1, 1]


def test_a_curation_and_an_expert_name_the_files_of_all_their_parts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert note("curate", "retention=recommended", capsys=capsys) == (
        "conf/retention/none.yaml (in place of ftdist's), "
        "conf/retention/recommended.yaml (in place of ftdist's)."
    )
    named = note("expert", capsys=capsys)
    assert "conf/model/default.yaml" in named
    assert "conf/retention/recommended.yaml" in named


def test_neither_a_folder_without_config_nor_the_checkout_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "conf").symlink_to(conf_dir())
    for folder in (tmp_path / "elsewhere", checkout):
        monkeypatch.chdir(folder)
        assert main(["plan", *RUN]) != 0
        assert LEAD not in capsys.readouterr().err
