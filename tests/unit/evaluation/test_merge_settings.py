"""Which merged models are evaluated, and how they are described."""

import pytest

from ftdist.checkpoint.merge_setting import MergeSetting
from ftdist.config.compose import compose
from ftdist.config.schema import MergeConfig
from ftdist.errors import ConfigError
from ftdist.evaluation.merge_settings import describe_merges, describe_model, merge_settings
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.param_names import merge_factors


def _config(*overrides: str) -> MergeConfig:
    names = ("run.name=r", "library.path=l", "model.path=m")
    return compose([*names, *(f"merge.{override}" for override in overrides)]).merge


def _settings(*overrides: str) -> list[tuple[float, float, float]]:
    settings = merge_settings(_config(*overrides))
    return [(each.alpha, each.trim_largest, each.trim_smallest) for each in settings]


def test_each_alpha_is_evaluated_with_each_trim_and_the_base_once() -> None:
    assert _settings("alphas=[0,0.5,1]", "trim_largest=[0,0.08]") == [
        (0, 0, 0), (0.5, 0, 0), (1, 0, 0), (0.5, 0.08, 0), (1, 0.08, 0),
    ]  # fmt: skip
    assert _settings("alphas=[1]", "trim_largest=[0.1]", "trim_smallest=[0,0.8,0.8]") == [
        (1, 0.1, 0), (1, 0.1, 0.8),
    ]  # fmt: skip


def test_three_merged_models_are_evaluated_by_default_none_of_them_trimmed() -> None:
    assert _settings() == [(0.8, 0, 0), (0.9, 0, 0), (1, 0, 0)]


@pytest.mark.parametrize("alphas", ["[0]", "[0,-0.0]"])
def test_alphas_of_zero_alone_are_refused(alphas: str) -> None:
    with pytest.raises(ConfigError, match="leaves no merged model to choose") as caught:
        _settings(f"alphas={alphas}")
    assert caught.value.remedy == "add one above 0, such as merge.alphas=[0,0.5,1]."


def test_trims_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"trim_largest=0\.2 and merge\.trim_smallest=0\.8 leave"):
        _settings("trim_largest=[0,0.2]", "trim_smallest=[0.8]")


MODEL = ModelInfo(
    parameters=9, largest_parameter=4, hidden_size=2, layers=2, vocab_size=4, max_position=None,
    model_type="llama", tied=True,
    shapes={
        "model.embed_tokens.weight": (4, 2),
        "model.layers.0.mlp.weight": (2, 2),
        "model.layers.1.mlp.weight": (2, 2),
        "model.norm.weight": (2,),
    },
)  # fmt: skip


def test_layers_are_merged_by_the_last_pattern_that_matches() -> None:
    assert merge_factors([], MODEL) == {}
    entries = ["model.layers.[0-9].*=0.5", "model.layers.1.*=.25", "lm_head.*=0"]
    assert merge_factors(entries, MODEL) == {
        "model.layers.0.mlp.weight": 0.5,
        "model.layers.1.mlp.weight": 0.25,
        "model.embed_tokens.weight": 0.0,  # the head's other name
    }


@pytest.mark.parametrize("entry", ["model.*", "=0.5", "model.*=2", "model.*=-1", "model.*=half"])
def test_an_entry_that_is_no_pattern_and_factor_is_refused(entry: str) -> None:
    with pytest.raises(ConfigError, match="is not of the form PATTERN=FACTOR"):
        merge_factors([entry], MODEL)


def test_a_pattern_that_matches_nothing_is_refused_with_names_like_it() -> None:
    with pytest.raises(ConfigError, match=r"model\.layer\.0\.\* matches none of the") as caught:
        merge_factors(["model.layer.0.*=0.5"], MODEL)
    assert "model.layers.0.mlp.weight" in caught.value.remedy


def test_brackets_of_a_pattern_are_read_from_the_command_line() -> None:
    assert _config('layers=["model.layers.[0-9].*=0.5"]').layers == ["model.layers.[0-9].*=0.5"]


def test_a_merged_model_is_described_in_a_sentence() -> None:
    setting = MergeSetting(alpha=0.8, trim_largest=0.08)
    assert str(setting) == "0.8 with the largest 8 % trimmed"
    assert str(MergeSetting(alpha=0.5)) == "0.5"
    record = {"candidates": [{"alpha": 0.8, "trim_largest": 0.08}], "layers": ["a.*=0.5"]}
    assert describe_model(setting, record) == (
        "These weights are base + 0.8 (tuned - base), without the largest 8 % of each tensor's "
        "update by magnitude, with 0.8 multiplied by a factor in a.* (0.5), merged by "
        "`ftdist merge`."
    )
    assert describe_merges({**record, "onto": "org/chat"}) == (
        "The weights of each merged model are org/chat + alpha (tuned - base); scores are compared "
        "with those of org/chat. Trimmed: that share of each tensor's update (tuned - base), by "
        "magnitude, was left out. Alpha was multiplied by a factor in a.* (0.5)."
    )
    assert describe_merges({"candidates": [{"alpha": 1.0}]}) == (
        "The weights of each merged model are base + alpha (tuned - base)."
    )
