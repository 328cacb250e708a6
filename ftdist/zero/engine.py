"""ZeRO-3 as the training step sees it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ftdist.data.collate import Batch
from ftdist.dist.device import Dtype
from ftdist.dist.world import World
from ftdist.nn.loss import Loss
from ftdist.nn.model import Head, PackedCausalLM
from ftdist.nn.optim import RATE_SCALE
from ftdist.zero.reference_model import ReferenceModel
from ftdist.zero.sequence_parallel import SequenceParallel


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
        sequence_parallel: SequenceParallel | None = None,
    ) -> None:
        self._engine = engine
        self._model = model
        self._reference = reference
        self._sequence_parallel = sequence_parallel
        self.frozen = frozen
        """The parameters that are not trained, each with all its names."""
        self.world = world
        self.dtype = dtype
        self.device: torch.device = engine.device

    def forward(self, batch: Batch) -> Loss:
        """Summed loss of this rank's micro-batch, and of each loss token. Collective."""
        with self._attention_of(batch):
            loss: Loss = self._engine(
                input_ids=batch.input_ids,
                position_ids=batch.position_ids,
                cu_seqlens=batch.cu_seqlens,
                max_seqlen=batch.max_seqlen,
                loss_positions=batch.loss_positions,
                targets=batch.targets,
                reference=None if self._reference is None else self._reference.states(batch),
            )
        return loss

    def backward(self, loss: Float[Tensor, ""], *, is_last: bool = True) -> None:
        """Add the gradient of `loss`, summed over ranks. Collective.

        Args:
            loss: of this rank's micro-batch.
            is_last: whether `step` follows. With the optimizer in host memory, only then do the
                gradients go to the copy that it reads.
        """
        if self.zero_optimizer.offload_optimizer:
            self._engine.set_gradient_accumulation_boundary(is_last)
        self._engine.backward(loss * self.world.size, scale_wrt_gas=False)

    def step(self) -> tuple[Float[Tensor, ""], bool]:
        """Clip, update the parameters, clear the gradients. Collective.

        Returns:
            L2 norm of the whole gradient before clipping, and whether the update was skipped
            because some rank's gradient is not finite; the norm is NaN or inf then.
        """
        self._engine.step()
        norm = self._engine.get_global_grad_norm()
        # Not read here: that would wait for the device.
        grad_norm = torch.as_tensor(
            float("nan") if norm is None else norm, dtype=torch.float64, device=self.device
        )
        return grad_norm, not self._engine.was_step_applied()

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
            with torch.no_grad(), self._attention_of(batch):
                logits = self._model.logits(
                    batch.input_ids,
                    batch.position_ids,
                    positions,
                    cu_seqlens=batch.cu_seqlens,
                    max_seqlen=batch.max_seqlen,
                )
                return logits.float()
        finally:
            self._engine.train()

    def _attention_of(self, batch: Batch) -> AbstractContextManager[None]:
        """Without an exchange between ranks for a row that this rank has for itself."""
        if self._sequence_parallel is None or batch.parts > 1:
            return nullcontext()
        return self._sequence_parallel.whole_rows()

    @property
    def head(self) -> Head:
        """The output head that computes the loss."""
        return self._model.head

    @property
    def embedding_rows(self) -> int:
        """How many token ids the model knows."""
        return int(self._model.model.get_input_embeddings().weight.ds_shape[0])

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
        """DeepSpeed's stage 3 optimizer, for `zero.training_state`."""
        return self._engine.optimizer

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Every parameter once, frozen ones too, under its name in the model folder."""
        yield from self._model.model.named_parameters()

    @property
    def reference_state_bytes(self) -> int:
        """Bytes of one hidden state of the reference model; 0: there is none."""
        return 0 if self._reference is None else self._reference.state_bytes

    @property
    def trained_parameters(self) -> int:
        """Elements that are trained, of all ranks together."""
        return sum(
            int(p.ds_numel) for name, p in self.named_parameters() if name not in self.frozen
        )
