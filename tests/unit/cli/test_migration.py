"""`ftdist check --from FILE` without a model: the keys on stdout, the rest on stderr."""

import json
import shlex

import pytest

from ftdist.cli.main import main
from ftdist.config.compose import compose
from tests.support.migration import FOLDER

AXOLOTL = str(FOLDER / "axolotl.yaml")
INFO = str(FOLDER / "llamafactory" / "dataset_info.json")


def test_stdout_holds_overrides_that_a_shell_and_ftdist_take(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "--from", AXOLOTL]) == 0
    printed = capsys.readouterr()
    overrides = shlex.split(printed.out)
    assert compose(overrides).library.columns == {"messages": "dialogue"}
    assert "evals_per_epoch: set eval.loss_every_steps" in printed.err


def test_typed_keys_win_and_ranks_multiply_the_batch(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["cluster.nodes=2", "cluster.tasks_per_node=4", "train.steps=7", "run.name=mine"]
    assert main(["check", "--from", AXOLOTL, *typed]) == 0
    overrides = capsys.readouterr().out.splitlines()
    assert "batch.tokens=16384" in overrides  # 256 x 2 x 4 x 8 ranks
    assert overrides[-4:] == typed
    assert not [line for line in overrides if line.startswith(("train.epochs", "run.name=t7"))]


def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "--from", f"{INFO}:pump"]) == 0
    printed = capsys.readouterr()
    values = json.loads(printed.out)
    assert values["trainer"] == "LLaMA-Factory"
    assert values["overrides"][1] == (
        "library.columns={question: frage, answer: antwort, system: system}"
    )
    assert list(values["remarks"]) == ["pump.num_samples"]
    assert printed.err == ""


def test_what_cannot_be_converted_ends_in_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--from", f"{INFO}:pmup"]) == 78
    assert capsys.readouterr().err == (
        f"{INFO} describes no dataset pmup.\nTo fix: did you mean pump?\n"
    )
