"""A `ChatEncoder` that counts the rows it is given, and ends its process at a deadly one."""

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.datasets_pipeline.rows import DEADLY
from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.data.messages import Chat
from ftdist.errors import DataError

COUNTS = "FTDIST_BENCHMARK_COUNTS"
"""Environment variable: the file to which each process appends how many rows it encoded."""


class CountingEncoder(ChatEncoder):
    """Encodes as its parent does."""

    def encode_many(self, chats: Sequence[Chat]) -> list[Tokens | DataError]:
        """Encode chats, and append their number to a file, in one write."""
        if any(DEADLY in chat.messages[0]["content"] for chat in chats):
            os._exit(9)
        encoded = super().encode_many(chats)
        if path := os.environ.get(COUNTS):
            with Path(path).open("ab", buffering=0) as file:
                file.write(b"%d\n" % len(chats))
        return encoded


def load_encoder(model: Path) -> CountingEncoder:
    """The encoder of a model folder."""
    from transformers import AutoTokenizer

    return CountingEncoder(AutoTokenizer.from_pretrained(model), system_prompt=None)
