"""Which parameters are frozen, and how fast each layer learns, worked by hand."""

from pathlib import Path

import pytest
import torch
from ftdist_launch.setup.preflight import context_problems
from torch import nn

from ftdist.config.compose import compose
from ftdist.config.resume_keys import MAY_CHANGE
from ftdist.config.saved_config import override_config
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, FtdistError
from ftdist.nn.loss import ReferenceStates, summed_loss
from ftdist.nn.optim import ParameterGroup, layer_scales, parameter_groups
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.describe import describe
from ftdist.plan.model_info import ModelInfo, model_name, read_model_info
from ftdist.plan.param_names import (
    check_parameters,
    frozen_elements,
    frozen_names,
    layers_by_name,
)
from ftdist.plan.planner import make_plan
from ftdist.zero.optimizer import freeze
from tests.support.fixed_engine import fixed_engine

EMBEDDING, HEAD, NORM = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"
QUERIES = [f"model.layers.{layer}.q_proj.weight" for layer in range(12)]
NAMES = [EMBEDDING, *QUERIES, NORM, HEAD]
TIED = {EMBEDDING: [EMBEDDING, HEAD], **{n: [n] for n in (*QUERIES, NORM)}}


def untied() -> dict[str, list[str]]:
    return {name: [name] for name in NAMES}


def facts(shapes: dict[str, tuple[int, ...]], *, tied: bool) -> ModelInfo:
    sizes = [torch.Size(shape).numel() for shape in shapes.values()]
    return ModelInfo(
        parameters=sum(sizes),
        largest_parameter=max(sizes),
        hidden_size=4,
        layers=2,
        vocab_size=10,
        max_position=None,
        model_type="llama",
        tied=tied,
        shapes=shapes,
    )


SHAPES: dict[str, tuple[int, ...]] = {
    EMBEDDING: (10, 4),
    "model.layers.0.mlp.weight": (6, 4),
    "model.layers.0.norm.weight": (4,),
    "model.layers.1.mlp.weight": (6, 4),
    "model.layers.1.norm.weight": (4,),
    NORM: (4,),
}


def asked(*overrides: str, model: str | Path = "m") -> RunConfig:
    needed = [f"model.path={model}", "library.path=l", "run.name=r", "cluster.device=cpu"]
    return compose([*needed, *fixed_engine(*overrides)])


def test_a_pattern_is_matched_against_whole_names() -> None:
    assert frozen_names(["model.layers.[0-1].*"], untied()) == set(QUERIES[:2])
    assert frozen_names(["model.layers.1[01].*"], untied()) == set(QUERIES[10:])
    assert frozen_names(["*norm*", HEAD], untied()) == {NORM, HEAD}
    assert frozen_names([], untied()) == set()


@pytest.mark.parametrize("pattern", ["lm_head.*", "model.embed_tokens.*"])
def test_a_tied_embedding_is_frozen_by_either_of_its_names(pattern: str) -> None:
    assert frozen_names([pattern], TIED) == {EMBEDDING}


def test_unmatched_patterns_are_refused_with_similar_names() -> None:
    with pytest.raises(ConfigError) as caught:
        frozen_names(["model.embed_token.*", "*norm*"], untied())
    assert caught.value.problem == (
        "optim.freeze_params: model.embed_token.* matches none of the model's 15 parameters."
    )
    assert EMBEDDING in caught.value.remedy
    assert HEAD in caught.value.remedy
    with pytest.raises(ConfigError, match=r"layers\.5, norm match none of"):
        frozen_names(["layers.5", "norm"], untied())


def test_freezing_everything_is_refused() -> None:
    with pytest.raises(ConfigError, match="freezes all 15 parameters") as caught:
        frozen_names(["model.*", "lm_head.*"], untied())
    assert caught.value.remedy.startswith("leave some out")


def test_the_layer_is_the_first_number_in_a_name() -> None:
    names = ["transformer.wte.weight", "transformer.h.0.c_attn.weight", "transformer.h.1.mlp.2.w"]
    assert layers_by_name(names) == {names[1]: 0, names[2]: 1}


@pytest.mark.parametrize(
    "names",
    [
        [EMBEDDING, NORM],
        ["model.layers.1.weight", "model.layers.2.weight"],
        ["encoder.layers.0.weight", "decoder.layers.0.weight"],
    ],
)
def test_undetectable_layers_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError, match="needs one list of layers") as caught:
        layers_by_name(names)
    assert caught.value.remedy == "set optim.layerwise_lr_decay=1.0."


def test_each_layer_lr_decays_by_the_factor() -> None:
    names = [EMBEDDING, *QUERIES[:3], NORM, HEAD]
    scales = layer_scales(
        names, layers=layers_by_name(names), embeddings={EMBEDDING}, layerwise_lr_decay=0.5
    )
    # Three layers, the top one at the schedule's rate: 1, 1/2, 1/4; embeddings below them at 1/8.
    assert list(scales.values()) == [0.125, 0.25, 0.5, 1.0, 1.0, 1.0]


def test_without_layerwise_decay_there_are_two_groups() -> None:
    shapes = {name: (4,) if "norm" in name else (4, 4) for name in NAMES}
    groups = parameter_groups(shapes, scales=dict.fromkeys(NAMES, 1.0), weight_decay=0.1)
    assert groups == [
        ParameterGroup(names=(EMBEDDING, *QUERIES, HEAD), weight_decay=0.1, rate_scale=1.0),
        ParameterGroup(names=(NORM,), weight_decay=0.0, rate_scale=1.0),
    ]


def test_each_lr_has_a_decayed_and_an_undecayed_group() -> None:
    scales = {name: 0.25 if ".0." in name else 0.5 if ".1." in name else 1.0 for name in SHAPES}
    trained = {name: shape for name, shape in SHAPES.items() if name != EMBEDDING}
    groups = parameter_groups(trained, scales=scales, weight_decay=0.1)
    assert [(g.names, g.weight_decay, g.rate_scale) for g in groups] == [
        (("model.layers.0.mlp.weight",), 0.1, 0.25),
        (("model.layers.0.norm.weight",), 0.0, 0.25),
        (("model.layers.1.mlp.weight",), 0.1, 0.5),
        (("model.layers.1.norm.weight",), 0.0, 0.5),
        ((NORM,), 0.0, 1.0),
    ]


def test_problems_visible_in_the_files_are_refused_before_start(tmp_path: Path) -> None:
    from tests.support.models.tiny_models import save_tiny_model

    model = save_tiny_model(tmp_path / "m", "llama_tied")

    def problems(*overrides: str) -> list[FtdistError]:
        return list(context_problems(asked(*overrides, model=model)))

    long = "batch.sequence_length=128"
    assert problems("optim.freeze_params=[lm_head.*]", "optim.layerwise_lr_decay=0.9", long) == []
    (problem,) = problems("optim.freeze_params=[model.layers.7.*]", long)
    assert problem.problem == (
        "optim.freeze_params: model.layers.7.* matches none of the model's 20 parameters."
    )
    (problem,) = problems('optim.freeze_params=["*"]', long)
    assert "nothing would be trained" in problem.problem


def test_backbone_checkpoints_match_full_model_names() -> None:
    bare = {name.removeprefix("model."): shape for name, shape in SHAPES.items()}
    model = facts(bare, tied=True)
    assert frozen_elements(["model.layers.0.*"], model) == 24 + 4
    check_parameters(asked("optim.freeze_params=[model.embed_tokens.*]"), model=model)
    with pytest.raises(ConfigError, match="none of the model's 6 parameters"):
        check_parameters(asked("optim.freeze_params=[layers.0]"), model=model)
    # In the files of a whole model nothing is added to the names.
    with pytest.raises(ConfigError, match="matches none of"):
        check_parameters(
            asked("optim.freeze_params=[model.model.layers.0.*]"), model=facts(SHAPES, tied=True)
        )


def test_layers_are_detected_only_when_needed() -> None:
    model = facts({EMBEDDING: (10, 4), NORM: (4,)}, tied=True)
    check_parameters(asked(), model=model)
    with pytest.raises(ConfigError, match="needs one list of layers"):
        check_parameters(asked("optim.layerwise_lr_decay=0.9"), model=model)


class Tied(nn.Module):
    """A head that is the embedding, beside one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.middle = nn.Linear(3, 3, bias=False)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight


@pytest.mark.parametrize("pattern", ["head.*", "embedding.*"])
def test_a_tied_embedding_frozen_by_either_name_needs_no_gradient(pattern: str) -> None:
    model = Tied()
    assert freeze(model, [pattern]) == {"embedding.weight": ["embedding.weight", "head.weight"]}
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {"middle.weight"}


def test_a_pattern_unknown_to_the_built_model_fails_before_the_first_step() -> None:
    model = Tied()
    with pytest.raises(ConfigError, match=r"head\.bias matches none of the model's 2 parameters"):
        freeze(model, ["head.bias"])
    assert freeze(model, []) == {}
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    "override", ["optim.freeze_params=[lm_head.*]", "optim.layerwise_lr_decay=0.5"]
)
def test_a_started_run_retains_its_recipe(override: str) -> None:
    with pytest.raises(ConfigError, match="cannot change in an existing run"):
        override_config(asked(), [override], allowed=MAY_CHANGE)


def test_model_facts_have_the_shape_of_every_tensor(tmp_path: Path) -> None:
    from tests.support.models.tiny_models import save_tiny_model

    model = read_model_info(save_tiny_model(tmp_path / "m", "llama_tied"))
    assert model.shapes[EMBEDDING] == (503, 32)
    assert HEAD not in model.shapes


@pytest.mark.parametrize("pattern", ["lm_head.*", "model.embed_tokens.*"])
def test_frozen_parameters_need_no_gradient_or_optimizer_state(pattern: str) -> None:
    # 40 of 100 elements are the embedding; the other 60 lie on two ranks, 30 each.
    source = PackedSourceInfo(
        name="library", weight=1.0, samples=8, sequences=32, tokens=4000, loss_tokens=2000,
        held_out_samples=0, held_out_sequences=0,
    )  # fmt: skip
    plan = make_plan(
        asked(
            f"optim.freeze_params=[{pattern}]",
            *("batch.tokens=8192", "batch.sequence_length=4096", "train.epochs=3"),
            "cluster.tasks_per_node=2",
            "engine.reduce_bucket_size=7",
            "model.dtype=bfloat16",
            "engine.accumulation_dtype=float32",
        ),
        model=facts(SHAPES, tied=True),
        library=PackedDatasetInfo(path="l", key="k", sources=(source,)),
    )
    gib = 2**30
    assert plan.parameters == 100
    assert plan.frozen_parameters == 40
    assert plan.parameters_gib * gib == pytest.approx(50 * 2)
    assert plan.gradients_gib * gib == pytest.approx(30 * 4)
    assert plan.optimizer_gib * gib == pytest.approx(30 * 12)
    assert plan.checkpoint_gib * gib == pytest.approx(60 * 12 + 40 * 2)
    assert dict(describe(plan))["parameters"] == "100, 40 of them frozen"


@pytest.mark.parametrize("learns", ["hidden", "head", "bias"])
def test_losses_give_gradients_only_to_trained_parameters(learns: str) -> None:
    torch.manual_seed(0)
    hidden, head, bias = torch.randn(8, 4), torch.randn(7, 4), torch.randn(7)
    base = ReferenceStates(hidden=torch.randn(5, 4), head=torch.randn(7, 4), bias=None)

    def gradients(*learning: str) -> dict[str, torch.Tensor | None]:
        own = {"hidden": hidden.clone(), "head": head.clone(), "bias": bias.clone()}
        for name in learning:
            own[name].requires_grad_()
        targets = torch.tensor([6, 0, 2])
        loss, _ = summed_loss(own["hidden"], own["head"], targets, bias=own["bias"], reference=base)
        loss.backward()
        return {name: tensor.grad for name, tensor in own.items()}

    whole, part = gradients("hidden", "head", "bias"), gradients(learns)
    assert [name for name, gradient in part.items() if gradient is not None] == [learns]
    assert torch.equal(part[learns], whole[learns])  # type: ignore[arg-type]


def test_hub_models_are_identified_by_their_hub_name() -> None:
    commit = "0123456789012345678901234567890123456789"
    assert model_name(f"/c/hub/models--Org--Small-1B/snapshots/{commit}") == "Org/Small-1B"
    assert model_name(f"/c/hub/models--gpt2/snapshots/{commit}/") == "gpt2"
    assert model_name("/models/snapshots/small") == "small"
