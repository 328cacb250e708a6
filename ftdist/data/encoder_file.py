"""Files of encoders, which worker processes read."""

import pickle
from functools import lru_cache
from pathlib import Path

from ftdist.data.chat_encoder import ChatEncoder


def save_encoder(encoder: ChatEncoder, path: Path) -> None:
    """Write an encoder for worker processes."""
    path.write_bytes(pickle.dumps(encoder))


@lru_cache(maxsize=1)
def load_encoder(path: Path) -> ChatEncoder:
    """Read an encoder that `save_encoder` wrote; the last one is cached with its own caches."""
    encoder = pickle.loads(path.read_bytes())
    assert isinstance(encoder, ChatEncoder)
    return encoder
