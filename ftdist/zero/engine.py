"""ZeRO-3 as the training step sees it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from ftdist.config.deepspeed_keys import deepspeed_config
from ftdist.config.schema import RunConfig
from ftdist.data.collate import Batch
from ftdist.dist.device import (
    TORCH_DTYPE,
    Device,
    Dtype,
    backend_of,
    large_blocks_apart,
    torch_device,
)
from ftdist.dist.world import World
from ftdist.nn.loss import Loss
from ftdist.nn.model import Head, PackedCausalLM, build_model
from ftdist.plan.plan import Plan
from ftdist.zero.load import read_weights
from ftdist.zero.optimizer import RATE_SCALE, adamw, freeze
from ftdist.zero.reference_model import BaseModel


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What an optimizer step did."""

    grad_norm: float
    """L2 norm of the whole gradient before clipping; NaN or inf where the step was skipped."""

    skipped: bool
    """Whether the step was left out because some rank's gradient is not finite."""


@runtime_checkable
class Engine(Protocol):
    """What the training step needs. Every method is collective."""

    def zero_losses(self, count: int) -> Float[Tensor, " count"]:
        """Float32 zeros on this rank's device."""
        ...

    def forward(self, batch: Batch) -> Loss:
        """Summed loss of this rank's micro-batch, and each of its loss tokens' part of it."""
        ...

    def backward(self, loss: Float[Tensor, ""]) -> None:
        """Add the loss's gradient; gradients are sums over micro-batches and ranks."""
        ...

    def step(self) -> Applied:
        """Clip, update the parameters, forget the gradients."""
        ...


class Zero3Engine:
    """DeepSpeed's ZeRO-3, with its own divisions undone.

    DeepSpeed divides gradients by its accumulation steps and averages them over ranks. It is
    told of one accumulation step, whatever the number of ours: every backward then reduces and
    adds, and only our `step` updates. The loss is multiplied by the number of ranks before it
    goes in, so that what comes out is a sum.
    """

    def __init__(
        self,
        engine: Any,
        *,
        model: PackedCausalLM,
        base: BaseModel | None,
        frozen: Mapping[str, Sequence[str]],
        world: World,
    ) -> None:
        self._engine = engine
        self._model = model
        self._base = base
        self.frozen = frozen
        """The parameters that stay as the base has them, each with all its names."""
        self.world = world
        self.device: torch.device = engine.device

    @classmethod
    def build(
        cls, config: RunConfig, plan: Plan, *, world: World, device: Device, dtype: Dtype
    ) -> "Zero3Engine":
        """The base model, in shards, with its optimizer. Collective; the process group stands.

        Where a source follows the base model, that stands beside it, in shards too and frozen.
        Peak host memory of a rank while loading: its shard of the weights, and two whole
        parameters (at most the largest) while the modules that hold them are made.
        """
        deepspeed = import_deepspeed(device, world=world)
        settings = deepspeed_config(config, plan, device=device, dtype=dtype)
        with large_blocks_apart():
            base = build_model(
                config.model.path,
                dtype=TORCH_DTYPE[dtype],
                attention=config.model.attention,
                device=device,
                activation_checkpointing=config.model.activation_checkpointing,
                # Left to transformers, the dtype is that of the parameters alone; DeepSpeed
                # would round the rotary frequencies to it too.
                sharding=deepspeed.zero.Init(
                    config_dict_or_path=settings,
                    tensor_overrides=[deepspeed.zero.DeepSpeedTensorOverride.device],
                ),
            )
            read_weights(base, Path(config.model.path), world=world)
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
            follows = any(source.kl_to_base for source in plan.library.sources)
            base_beside = (
                BaseModel.build(
                    config, settings, world=world, device=device, dtype=dtype, deepspeed=deepspeed
                )
                if follows
                else None
            )
        return cls(engine, model=model, base=base_beside, frozen=frozen, world=world)

    def zero_losses(self, count: int) -> Float[Tensor, " count"]:
        """Float32 zeros on this rank's device."""
        return torch.zeros(count, dtype=torch.float32, device=self.device)

    def forward(self, batch: Batch) -> Loss:
        """Summed loss of this rank's micro-batch, and each loss token's part. Collective."""
        with nullcontext() if self._base is None else self._base.rows(batch) as base:
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

    def step(self) -> Applied:
        """Clip, update the parameters, forget the gradients. Collective."""
        self._engine.step()
        norm = self._engine.get_global_grad_norm()
        return Applied(
            grad_norm=float("nan") if norm is None else float(norm),
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
        """Logits at `positions` of a row, from the model's own forward, in float32. Collective."""
        self._engine.eval()
        try:
            with torch.no_grad():
                logits = self._model.logits(batch.input_ids, batch.position_ids, positions)
                return logits.float()
        finally:
            self._engine.train()

    @property
    def head(self) -> Head:
        """Which output head computes the loss."""
        return self._model.head

    @property
    def can_chunk(self) -> bool:
        """Whether the model's output embedding is one that the chunked head can take over."""
        return self._model.can_chunk

    def use_head(self, head: Head) -> None:
        """Compute the loss with this output head from now on."""
        self._model.head = head

    def set_learning_rate(self, rate: float) -> None:
        """Learning rate of the next step; a group of a lower layer takes its proportion of it."""
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
        if self._base is not None:
            self._base.close()


def import_deepspeed(device: Device, *, world: World) -> Any:
    """DeepSpeed, told which device to use and not to compile anything. Collective."""
    os.environ["DS_ACCELERATOR"] = device
    own = torch_device(device, local_rank=world.local_rank)
    # It takes the device's index from here: that of the visible GPU, whatever the local rank.
    os.environ["LOCAL_RANK"] = str(own.index or 0)
    import deepspeed
    import deepspeed.ops

    if device == "cpu":
        # On CPUs it would compile an extension for shared-memory collectives, and fail
        # where there is no compiler; gloo does the work instead.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    # Takes up the process group that stands; without this call ZeRO counts one rank.
    deepspeed.init_distributed(dist_backend=backend_of(device), auto_mpi_discovery=False)
    return deepspeed
