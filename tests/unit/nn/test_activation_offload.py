"""Inputs of layers in host memory: the same gradients, and no other tensor moves."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from transformers import LlamaConfig, LlamaForCausalLM

from ftdist.nn import activation_offload
from ftdist.nn.activation_checkpointing import checkpoint_layers
from ftdist.nn.activation_offload import offload_layer_inputs

LAYERS = 3


def gradients(model: Any) -> list[Tensor]:
    model.zero_grad()
    ids = torch.arange(10)[None]
    model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
@pytest.mark.parametrize(("choice", "moved"), [("full", 3), ("selective", 2)])
def test_layer_inputs_alone_move_and_gradients_stay(
    monkeypatch: pytest.MonkeyPatch, choice: str, moved: int
) -> None:
    shapes: list[torch.Size] = []

    def save_on_cpu(*, pin_memory: bool) -> saved_tensors_hooks:
        assert not pin_memory  # pinned on GPUs alone

        def pack(tensor: Tensor) -> Tensor:
            shapes.append(tensor.shape)
            return tensor.clone()

        return saved_tensors_hooks(pack, lambda tensor: tensor)

    monkeypatch.setattr(activation_offload, "save_on_cpu", save_on_cpu)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
    )
    model = LlamaForCausalLM(config).train()
    whole = gradients(model)
    checkpoint_layers(model, choice)
    offload_layer_inputs(model, device="cpu")
    for one, other in zip(gradients(model), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert shapes == [torch.Size([1, 10, 16])] * moved
