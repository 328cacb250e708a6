"""Every row of docs/reference/hydra.md holds."""

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftdist.cli.commands.init import main as init
from ftdist.config.compose import compose, compose_curation
from ftdist.config.hydra_flags import hydra_flags, run_hydra_flags
from ftdist.config.keys import CURATE, TRAIN
from ftdist.config.validation import look_up
from ftdist.errors import ConfigError

PAGE = Path(__file__).parents[3] / "docs/reference/hydra.md"
NEEDED = ["model.path=M", "library.path=L", "run.name=R"]


def _rows(heading: str) -> list[tuple[str, str]]:
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.S | re.M)
    return re.findall(r"^\| `(.+?)` \| (.+) \|$", section, re.M)


@functools.cache
def _project(folder: Path) -> Path:
    init([str(folder / "project")])
    other = folder / "project/further/cluster/other.yaml"
    other.parent.mkdir(parents=True)
    other.write_text("defaults: [slurm, _self_]\npartition: other\n")
    return folder / "project"


@pytest.fixture(autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a new project, as the user ann."""
    monkeypatch.chdir(_project(tmp_path_factory.getbasetemp()))
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setenv("HF_TOKEN", "x")


def _words(command: str) -> tuple[str, list[str]]:
    """The verb and the words: a space separates words outside of brackets only."""
    verb, *words = re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|\S)+", command)
    return verb, [each for word in words for each in (NEEDED if word == "B" else [word])]


def _answer(verb: str, words: list[str]) -> Any:
    """What the command line composes, or prints."""
    if hydra_flags(words):
        return run_hydra_flags(words, command=CURATE if verb == "curate" else TRAIN)
    return dataclasses.asdict(compose_curation(words) if verb == "curate" else compose(words))


@pytest.mark.parametrize(("command", "result"), _rows("Works"))
def test_what_the_page_says_works(command: str, result: str) -> None:
    key, _, value = result.strip("`").partition(": ")
    found = look_up(_answer(*_words(command)), key)
    assert found == yaml.safe_load(value)


@pytest.mark.parametrize(("command", "part"), _rows("Prints"))
def test_what_the_page_says_is_printed(command: str, part: str) -> None:
    assert part.strip("`") in _answer(*_words(command))


@pytest.mark.parametrize(("command", "part"), _rows("Refused, with the remedy"))
def test_what_the_page_says_is_refused(command: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _answer(*_words(command))
    assert part in str(caught.value)


def test_the_page_has_its_rows() -> None:
    numbers = [len(_rows(each)) for each in ("Works", "Prints", "Refused, with the remedy")]
    text = PAGE.read_text()
    assert sum(numbers) == len(re.findall(r"^\| `", text, re.M))
    assert min(numbers) >= 10
