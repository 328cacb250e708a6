"""The reference model's hidden states of rows that some rank has seen, in host memory."""

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from ftdist.data.reference_rows import Exchange, ReferenceRows, RowKey


class ReferenceCache:
    """Hidden states at the KL positions of rows, by row. It lives as long as the attempt."""

    def __init__(self) -> None:
        self._states: dict[RowKey, Tensor] = {}

    def keep(self, rows: ReferenceRows, hidden: Float[Tensor, "token width"]) -> None:
        """Keep those of this rank's rows that are to be kept, after the reference has run."""
        parts = hidden.split(list(rows.tokens))
        for key, cached, states in zip(rows.keys, rows.cached, parts, strict=True):
            if cached:
                self._states[key] = states.to("cpu", copy=True)

    def collect(
        self,
        rows: ReferenceRows,
        exchange: Exchange,
        *,
        width: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Float[Tensor, "token width"]:
        """The states of this rank's rows, bit for bit those that were kept. Collective.

        Args:
            rows: of this rank.
            exchange: who sends what.
            width: of a hidden state.
            dtype: of the hidden states.
            device: of this rank.
        """
        nothing = torch.empty(0, width, dtype=dtype)
        sent = torch.cat([nothing, *(self._states[key] for key in exchange.sends)]).to(device)
        received = torch.empty(sum(rows.tokens), width, dtype=dtype, device=device)
        torch.distributed.all_to_all_single(
            received.view(torch.uint8),
            sent.view(torch.uint8),
            list(exchange.receive_tokens),
            list(exchange.send_tokens),
        )
        arrived = received.split([rows.tokens[row] for row in exchange.arrival])
        in_order: list[Tensor] = [received[:0]] * len(rows.keys)
        for row, states in zip(exchange.arrival, arrived, strict=True):
            in_order[row] = states
        return torch.cat([received[:0], *in_order])
