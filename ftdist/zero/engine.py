"""ZeRO-3 as the training step sees it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from ftdist.config.schema import RunConfig
from ftdist.data.collate import Batch
from ftdist.dist.device import (
    Device,
    Dtype,
    backend_of,
    large_blocks_apart,
    torch_device,
)
from ftdist.dist.world import World
from ftdist.nn.loss import Loss
from ftdist.nn.model import Head, PackedCausalLM
from ftdist.plan.plan import Plan
from ftdist.zero.ds_config import build_ds_config
from ftdist.zero.load import load_sharded_model
from ftdist.zero.optimizer import RATE_SCALE, adamw, freeze
from ftdist.zero.reference_model import ReferenceModel


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """The outcome of an optimizer step."""

    grad_norm: Float[Tensor, ""]
    """L2 norm of the whole gradient before clipping; NaN or inf where the step was skipped."""

    skipped: bool
    """Whether the update was skipped because some rank's gradient is not finite."""


@runtime_checkable
class Engine(Protocol):
    """What the training step needs. Every method is collective."""

    def zero_losses(self, count: int) -> Float[Tensor, " count"]:
        """Float32 zeros on this rank's device."""
        ...

    def forward(self, batch: Batch) -> Loss:
        """Summed loss of this rank's micro-batch, and the loss of each of its loss tokens."""
        ...

    def backward(self, loss: Float[Tensor, ""]) -> None:
        """Add the loss's gradient; gradients are sums over micro-batches and ranks."""
        ...

    def step(self) -> StepOutcome:
        """Clip, update the parameters, clear the gradients."""
        ...


class Zero3Engine:
    """DeepSpeed's ZeRO-3 with its own divisions undone, so that gradients are sums.

    DeepSpeed divides gradients by its accumulation steps and averages them over ranks. It is
    configured with one accumulation step, whatever the number of ours: every backward reduces
    and adds, and only our `step` updates. The loss is multiplied by the number of ranks before
    backward.
    """

    def __init__(
        self,
        engine: Any,
        *,
        model: PackedCausalLM,
        reference: ReferenceModel | None,
        frozen: Mapping[str, Sequence[str]],
        world: World,
        dtype: Dtype,
    ) -> None:
        self._engine = engine
        self._model = model
        self._reference = reference
        self.frozen = frozen
        """The parameters that are not trained, each with all its names."""
        self.world = world
        self.dtype = dtype
        self.device: torch.device = engine.device

    @classmethod
    def build(
        cls, config: RunConfig, plan: Plan, *, world: World, device: Device, dtype: Dtype
    ) -> "Zero3Engine":
        """The sharded base model with its optimizer. Collective; needs a process group.

        Where a source is trained by KL, a second, frozen copy of the base model is loaded.
        Peak host memory per rank while loading: its shard of the weights, and two whole
        parameters (at most the largest) while their modules are built.
        """
        deepspeed = import_deepspeed(device, world=world)
        settings = build_ds_config(config, plan, device=device, dtype=dtype)
        with large_blocks_apart():
            base = load_sharded_model(
                config.model,
                settings,
                world=world,
                device=device,
                dtype=dtype,
                activation_checkpointing=config.model.activation_checkpointing,
            )
            frozen = freeze(base, config.optim.freeze_params)
            model = PackedCausalLM(base)
            if config.model.head == "model":
                model.head = "model"
            engine, *_ = deepspeed.initialize(
                model=model,
                optimizer=adamw(base, config.optim),
                config=settings,
                dist_init_required=False,
            )
            reference = None
            if any(source.kl_to_base for source in plan.library.sources):
                reference = ReferenceModel.build(
                    config.model, settings, world=world, device=device, dtype=dtype
                )
        return cls(
            engine, model=model, reference=reference, frozen=frozen, world=world, dtype=dtype
        )

    def zero_losses(self, count: int) -> Float[Tensor, " count"]:
        """Float32 zeros on this rank's device."""
        return torch.zeros(count, dtype=torch.float32, device=self.device)

    def forward(self, batch: Batch) -> Loss:
        """Summed loss of this rank's micro-batch, and of each loss token. Collective."""
        with nullcontext() if self._reference is None else self._reference.rows(batch) as base:
            loss: Loss = self._engine(
                input_ids=batch.input_ids,
                position_ids=batch.position_ids,
                loss_positions=batch.loss_positions,
                targets=batch.targets,
                base=base,
            )
        return loss

    def backward(self, loss: Float[Tensor, ""]) -> None:
        """Add the gradient of `loss`, summed over ranks. Collective."""
        self._engine.backward(loss * self.world.size, scale_wrt_gas=False)

    def step(self) -> StepOutcome:
        """Clip, update the parameters, clear the gradients. Collective."""
        self._engine.step()
        norm = self._engine.get_global_grad_norm()
        return StepOutcome(
            # Not read here: that would wait for the device.
            grad_norm=torch.as_tensor(
                float("nan") if norm is None else norm, dtype=torch.float64, device=self.device
            ),
            skipped=not self._engine.was_step_applied(),
        )

    def evaluate(self, batch: Batch) -> Loss:
        """As `forward`, without gradients or dropout. Collective."""
        self._engine.eval()
        try:
            with torch.no_grad():
                return self.forward(batch)
        finally:
            self._engine.train()

    def logits(self, batch: Batch, positions: Tensor) -> Float[Tensor, "position vocab"]:
        """Logits at `positions` of a row by the model's own forward, in float32. Collective."""
        self._engine.eval()
        try:
            with torch.no_grad():
                logits = self._model.logits(batch.input_ids, batch.position_ids, positions)
                return logits.float()
        finally:
            self._engine.train()

    @property
    def head(self) -> Head:
        """The output head that computes the loss."""
        return self._model.head

    @property
    def can_chunk(self) -> bool:
        """Whether the chunked head fits the model's output embedding."""
        return self._model.can_chunk

    def use_head(self, head: Head) -> None:
        """Compute the loss with this output head from now on."""
        self._model.head = head

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of the next step; each parameter group scales it."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group[RATE_SCALE]

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The torch optimizer inside ZeRO-3; it holds this rank's shards only."""
        optimizer: torch.optim.Optimizer = self._engine.optimizer.optimizer
        return optimizer

    @property
    def zero_optimizer(self) -> Any:
        """DeepSpeed's stage 3 optimizer, for `zero.load` and `zero.save`."""
        return self._engine.optimizer

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Every parameter once, frozen ones too, under its name in the model folder."""
        yield from self._model.model.named_parameters()

    @property
    def trained_parameters(self) -> int:
        """Elements that are trained, of all ranks together."""
        return sum(
            int(p.ds_numel) for name, p in self.named_parameters() if name not in self.frozen
        )

    def close(self) -> None:
        """Release what DeepSpeed holds."""
        self._engine.destroy()
        if self._reference is not None:
            self._reference.close()


def import_deepspeed(device: Device, *, world: World) -> Any:
    """DeepSpeed, set up for the device, without compiling anything. Collective."""
    os.environ["DS_ACCELERATOR"] = device
    own = torch_device(device, local_rank=world.local_rank)
    # DeepSpeed takes the device index from here: that of the visible GPU, not the local rank.
    os.environ["LOCAL_RANK"] = str(own.index or 0)
    import deepspeed
    import deepspeed.ops

    if device == "cpu":
        # On CPUs it would compile an extension for shared-memory collectives, and fail
        # without a compiler; gloo does the work instead.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    # Adopts the existing process group; without this call ZeRO counts one rank.
    deepspeed.init_distributed(dist_backend=backend_of(device), auto_mpi_discovery=False)
    return deepspeed
