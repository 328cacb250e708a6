"""Tell how far a batch of answers is, while it is generated."""

from collections.abc import Callable, Sequence

from torch import Tensor
from transformers import LogitsProcessor

OnToken = Callable[[float], None]
"""Called before each token, with how many of its batch's questions are done by their tokens."""


class BatchProgress(LogitsProcessor):  # type: ignore[misc]
    """Calls a function before each token, and changes no logits.

    Args:
        prompts: token ids of the batch.
        max_tokens: of an answer.
        on_token: is called.
    """

    def __init__(self, prompts: Sequence[list[int]], max_tokens: int, on_token: OnToken) -> None:
        self._start, self._max_tokens = max(map(len, prompts)), max_tokens
        self._count, self._on_token = len(prompts), on_token

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores of the next token, as they are."""
        done = (input_ids.shape[1] - self._start) / self._max_tokens
        self._on_token(self._count * done)
        return scores
