"""Overrides of notebooks and scripts."""

from ftdist.api.overrides import as_overrides
from ftdist.config.compose import compose


def test_strings_stay_and_dicts_become_keys_and_values() -> None:
    assert as_overrides("run.name=r", {"optim": {"peak_lr": 1e-4}, "run.private": False}) == [
        "run.name=r",
        "optim.peak_lr=0.0001",
        "run.private=false",
    ]
    assert as_overrides({"train.epochs": None, "tracking.tags": ["a", "b c"]}) == [
        "train.epochs=null",
        "tracking.tags=[a,'b c']",
    ]


def test_texts_of_a_dict_are_taken_literally() -> None:
    texts = {"model.path": "/m, n/[x]'s=1", "library.path": "true", "run.name": "007"}
    config = compose(as_overrides(texts))
    assert config.model.path == "/m, n/[x]'s=1"
    assert (config.library.path, config.run.name) == ("true", "007")
