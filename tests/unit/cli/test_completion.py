"""Completion: what completes a line, and the scripts in real shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftdist.cli.commands.completion import SCRIPTS
from ftdist.cli.completion import HYDRA_COMMANDS, RUN_COMMANDS, SPECS, complete
from ftdist.cli.main import COMMANDS
from ftdist.config.keys import CURATE, TRAIN, config_keys


def test_completes_commands() -> None:
    assert complete("ftdist cur") == ["curate "]
    assert complete("ftdist ") == sorted(f"{name} " for name in COMMANDS)


def test_completes_sections_and_groups_before_keys() -> None:
    assert complete("ftdist train opt") == ["optim.", "optim="]
    assert complete("ftdist curate re") == ["retention.", "retention="]


def test_completes_keys_of_a_typed_section() -> None:
    assert complete("ftdist submit optim.beta") == ["optim.beta1=", "optim.beta2="]
    assert complete("ftdist train clean.") == []
    assert "clean.dedup=" in complete("ftdist curate clean.")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ftdist train optim.schedule=co", ["optim.schedule=constant ", "optim.schedule=cosine "]),
        ("ftdist train run.private=", ["run.private=false ", "run.private=true "]),
        ("ftdist train experiment=ti", ["experiment=tiny "]),
        ("ftdist train optim=", ["optim=cosine ", "optim=wsd "]),
        ("ftdist train train.steps=", ["train.steps=null "]),
        ("ftdist train nonsense=", []),
    ],
)
def test_completes_values(line: str, words: list[str]) -> None:
    assert complete(line) == words


def test_completes_files_of_path_keys_and_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manuals").mkdir()
    (tmp_path / "manuals" / "pump.pdf").touch()
    (tmp_path / "tickets.jsonl").touch()
    assert complete("ftdist train model.path=man") == ["model.path=manuals/"]
    assert complete("ftdist curate library.sources=[manuals/,ti") == [
        "library.sources=[manuals/,tickets.jsonl"
    ]
    assert complete("ftdist curate library.sources=[manuals/p") == [
        "library.sources=[manuals/pump.pdf"
    ]


def test_completes_names_of_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("widget", "pump"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").touch()
    assert complete("ftdist status ") == ["pump ", "widget "]
    assert complete("ftdist export w") == ["widget "]
    assert complete("ftdist cancel widget ") == []


def test_completes_flags() -> None:
    assert complete("ftdist logs --f") == ["--follow "]
    assert complete("ftdist train --c") == ["--cfg "]


def test_an_open_quote_or_an_unknown_command_completes_to_nothing() -> None:
    assert complete("ftdist nonsense --") == []
    assert complete("ftdist chat R -p 'how do") == []


def test_every_command_in_the_tables_exists() -> None:
    """A command that takes keys or a run is one of ftdist's."""
    assert {*SPECS, *RUN_COMMANDS, *HYDRA_COMMANDS} <= set(COMMANDS)


def test_every_key_can_be_reached_by_completion() -> None:
    for command, verb in ((TRAIN, "train"), (CURATE, "curate")):
        for name in config_keys(command):
            if "*" not in name:
                assert f"{name}=" in complete(
                    f"ftdist {verb} {name}"[: -1 if "." in name else None]
                )


def test_bash_completes_behind_an_equals_sign() -> None:
    """Bash takes = for the end of a word: only what follows it is replaced."""
    script = SCRIPTS["bash"] + (
        'COMP_LINE="ftdist train optim.schedule=cos"; COMP_POINT=${#COMP_LINE}\n'
        "_ftdist_completion; printf '[%s]' \"${COMPREPLY[@]}\"\n"
    )
    assert _bash(script) == "[cosine ]"


def test_bash_completes_a_key() -> None:
    script = SCRIPTS["bash"] + (
        'COMP_LINE="ftdist train optim.sch"; COMP_POINT=${#COMP_LINE}\n'
        "_ftdist_completion; printf '[%s]' \"${COMPREPLY[@]}\"\n"
    )
    assert _bash(script) == "[optim.schedule=]"


def _bash(script: str) -> str:
    bash = shutil.which("bash")
    assert bash is not None
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    wordbreaks = "COMP_WORDBREAKS=$' \\t\\n\"<>=;|&(:'\n"
    done = subprocess.run(
        [bash, "--norc", "-c", wordbreaks + script],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
