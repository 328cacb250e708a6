"""A causal language model as the training step sees it: a packed row in, a loss out."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor, nn
from torch.nn import functional

from ftdist.errors import ModelError
from ftdist.nn.activation_checkpointing import checkpoint_layers
from ftdist.nn.attention_arguments import attention_arguments
from ftdist.nn.attention_kernel import (
    MASKED,
    OWN_KERNELS,
    attention_kernel,
    check_kernel,
    register_own_kernels,
)
from ftdist.nn.by_sample_attention import BY_SAMPLE
from ftdist.nn.loss import Loss, ReferenceStates, summed_loss

Head = Literal["chunked", "model"]


class LossHead(nn.Module):
    """The output embedding, able to compute the loss without ever holding all logits.

    It replaces the model's `nn.Linear` and shares its parameters. Head and loss are
    one module because ZeRO-3 gathers a module's parameters only during its forward.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = linear.weight
        self.bias = linear.bias

    def forward(
        self,
        hidden: Float[Tensor, "*rows width"],
        targets: Int[Tensor, " target"] | None = None,
        reference: AbstractContextManager[ReferenceStates] | None = None,
    ) -> Tensor | Loss:
        """Logits as `nn.Linear` gives them, or the loss where `targets` are given.

        Args:
            hidden: last hidden states; with `targets`, one row for each of them, then those of the
                KL loss.
            targets: token ids in [0, vocab).
            reference: the reference model at the latter, its output embedding gathered while
                entered; None: there are none.
        """
        if targets is None:
            return functional.linear(hidden, self.weight, self.bias)
        with nullcontext() if reference is None else reference as states:
            return summed_loss(hidden, self.weight, targets, bias=self.bias, reference=states)


class PackedCausalLM(nn.Module):
    """A transformers causal LM that computes the loss of one packed row.

    Attention stays inside each sample: kernels for rows of samples get the borders; for the others
    transformers makes a mask, of T x T, from the restarts of the position ids.
    `train.model_checks` proves it for the model at hand before the first step.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        head = model.get_output_embeddings()
        # Capped logits cost nearly the same while they are small: the check at the start, on a
        # model that is not yet sure of anything, might not see it.
        capped = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        self.can_chunk = isinstance(head, nn.Linear) and capped is None
        if self.can_chunk:
            model.set_output_embeddings(LossHead(head))
        self.model: Any = model
        self._kernel: str = model.config._attn_implementation
        self.head: Head = "chunked" if self.can_chunk else "model"

    def forward(
        self,
        input_ids: Int[Tensor, "1 token"],
        position_ids: Int[Tensor, "1 token"],
        loss_positions: Int[Tensor, " loss_token"],
        targets: Int[Tensor, " target"],
        reference: AbstractContextManager[ReferenceStates] | None = None,
        *,
        cu_seqlens: Int32[Tensor, " samples_plus_1"],
        max_seqlen: int,
    ) -> Loss:
        """The row's loss, and each of its loss tokens' part of it.

        Args:
            input_ids: whole samples, one after another.
            position_ids: restart at 0 with each sample.
            loss_positions: where the hidden state stands that predicts each target; after these,
                where the reference model's distribution is the target.
            targets: the tokens to predict; none at all is fine and gives 0.0.
            reference: the reference model at the latter; None where there are none.
            cu_seqlens: the start of each sample, and the end of the row.
            max_seqlen: tokens of the longest sample.
        """
        borders: Any = {"cu_seqlens": cu_seqlens, "max_seqlen": max_seqlen}
        if self.head == "model":
            assert reference is None, "the composition root refuses KL without the chunked head"
            logits = self.logits(input_ids, position_ids, loss_positions, **borders)
            losses = functional.cross_entropy(logits.float(), targets, reduction="none")
            return losses.sum(), losses.detach()
        hidden = self.hidden(input_ids, position_ids, loss_positions, **borders)
        loss: Loss = self.model.get_output_embeddings()(hidden, targets, reference)
        return loss

    def hidden(
        self,
        input_ids: Int[Tensor, "1 token"],
        position_ids: Int[Tensor, "1 token"],
        positions: Int[Tensor, " position"],
        *,
        cu_seqlens: Int32[Tensor, " samples_plus_1"],
        max_seqlen: int,
    ) -> Float[Tensor, "position width"]:
        """Last hidden states at `positions`."""
        outputs = self.model.base_model(
            input_ids=input_ids,
            position_ids=position_ids,
            use_cache=False,
            **self._attention_arguments(cu_seqlens, max_seqlen),
        )
        hidden: Tensor = outputs.last_hidden_state[0]
        return hidden[positions]

    def logits(
        self,
        input_ids: Int[Tensor, "1 token"],
        position_ids: Int[Tensor, "1 token"],
        positions: Int[Tensor, " position"],
        *,
        cu_seqlens: Int32[Tensor, " samples_plus_1"],
        max_seqlen: int,
    ) -> Float[Tensor, "position vocab"]:
        """Logits at `positions` as the model's own forward gives them, soft-capped or scaled."""
        outputs = self.model(
            input_ids=input_ids,
            position_ids=position_ids,
            use_cache=False,
            logits_to_keep=positions,
            **self._attention_arguments(cu_seqlens, max_seqlen),
        )
        logits: Tensor = outputs.logits[0]
        return logits

    def _attention_arguments(self, cu_seqlens: Tensor, max_seqlen: int) -> dict[str, Any]:
        if self._kernel in MASKED:
            return {}
        if self._kernel == BY_SAMPLE:
            cu_seqlens = cu_seqlens.cpu()  # once a row, not in each layer
        return attention_arguments(cu_seqlens, max_seqlen)


class PackedReference(nn.Module):
    """A reference model as the KL loss sees it: last hidden states of one packed row."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.lm = PackedCausalLM(model)

    @property
    def embedding(self) -> Any:
        """Its output embedding."""
        return self.lm.model.get_output_embeddings()

    def forward(
        self,
        input_ids: Int[Tensor, "1 token"],
        position_ids: Int[Tensor, "1 token"],
        positions: Int[Tensor, " position"],
        *,
        cu_seqlens: Int32[Tensor, " samples_plus_1"],
        max_seqlen: int,
    ) -> Float[Tensor, "position width"]:
        """Last hidden states at `positions`."""
        return self.lm.hidden(
            input_ids, position_ids, positions, cu_seqlens=cu_seqlens, max_seqlen=max_seqlen
        )


def build_model(
    model_path: str,
    *,
    dtype: torch.dtype,
    attention: str,
    device: str,
    activation_checkpointing: str,
    sharding: AbstractContextManager[Any],
) -> nn.Module:
    """A causal LM of the folder's architecture, its weights not yet read.

    Args:
        model_path: a Hugging Face model folder.
        dtype: of the parameters.
        attention: `model.attention` of the config.
        device: "cpu" or "cuda", which decides what `auto` means.
        activation_checkpointing: layers that compute their activations again in backward: none,
            selective (every second one) or full (all).
        sharding: entered for the length of the construction alone; it may shard
            parameters as modules create them. Nothing is imported inside, since
            `deepspeed.zero.Init` replaces torch's constructors and breaks torch's late imports.

    Raises:
        ModelError: the model has experts, or the attention kernel cannot run it here.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig
    from transformers.initialization import no_init_weights

    config = AutoConfig.from_pretrained(model_path, trust_remote_code=False)
    architecture: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]  # `prepare` has looked
    kernel = attention_kernel(attention, config, device=device, dtype=dtype)
    check_kernel(kernel, config, device=device, dtype=dtype)
    register_own_kernels()
    try:
        with sharding, no_init_weights():
            model: Any = architecture._from_config(
                config, dtype=dtype, attn_implementation=OWN_KERNELS.get(kernel, kernel)
            )
    except (ValueError, ImportError) as error:
        if attention == "eager":
            raise
        raise _attention_refused(architecture.__name__, attention, error) from error
    if any(".experts." in name for name, _ in model.named_parameters()):
        raise _experts_refused(config.model_type)
    model.tie_weights()
    checkpoint_layers(model, activation_checkpointing)
    module: nn.Module = model
    return module


def _attention_refused(architecture: str, attention: str, error: Exception) -> ModelError:
    return ModelError(
        f"{architecture} does not run with model.attention={attention}: "
        f"{str(error).splitlines()[0]}",
        remedy="set model.attention=eager, which every model has.",
    )


def _experts_refused(model_type: str) -> ModelError:
    return ModelError(
        f"{model_type} is a mixture of experts, which ftdist does not train yet: ranks would "
        "gather different experts and wait for each other.",
        remedy="choose a dense model.",
    )
