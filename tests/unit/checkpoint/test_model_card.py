"""The card of an export, as the Hub reads it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from ftdist.checkpoint.model_card import model_card
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import plan_of, some_config

SIZES = ("batch.tokens=1024", "batch.sequence_length=256", "optim.peak_lr=1e-4", "train.steps=40")


@pytest.mark.parametrize(
    ("path", "base", "shown"),
    [
        ("/home/user/hub/models--org--small/snapshots/abc", "org/small", "org/small"),
        ("/home/user/models/small", None, "small"),
    ],
)
def test_the_base_is_named_as_the_hub_knows_it_and_never_by_its_folder(
    path: str, base: str | None, shown: str
) -> None:
    config = some_config(f"model.path={path}", *SIZES)
    card = ModelCard(model_card(RunDir(Path("runs/r")), config, plan_of(config, ranks=2), step=1))
    front: Any = card.data
    assert front.base_model == base
    assert front.tags == ["ftdist", "fine-tuned"]
    assert f"fine-tune of `{shown}`" in card.text
    assert "/home/user" not in card.content


def test_datasets_of_the_hub_are_named_and_local_ones_are_not() -> None:
    config = some_config(*SIZES)
    plan = plan_of(config, ranks=2)
    hub = f"hf://datasets/org/faq@{'a' * 40} (subset en, split train)"
    sources = (
        dataclasses.replace(plan.library.sources[0], name="library", origin=hub),
        dataclasses.replace(plan.library.sources[0], name="own", origin="/home/user/s (split x)"),
    )
    library = dataclasses.replace(plan.library, sources=sources)
    plan = dataclasses.replace(plan, library=library)
    card = ModelCard(model_card(RunDir(Path("runs/r")), config, plan, step=1))
    front: Any = card.data
    assert front.datasets == ["org/faq"]
    assert f"- library: `{hub}`" in card.text
    assert "/home/user" not in card.content
