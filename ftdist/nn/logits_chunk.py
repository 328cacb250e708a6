"""Size of the chunks in which the chunked head computes logits. Imports no torch."""

CPU_CHUNK_BYTES = 64 * 2**20
GPU_CHUNK_BYTES = 2**30
"""Maximum size of one chunk of logits in float32.

Each chunk reads the whole output embedding and adds to its whole gradient: a GPU, whose products
are fast next to its memory, needs more rows for that than a CPU.
"""


def logits_chunk_rows(vocab_size: int, *, device: str) -> int:
    """Tokens whose logits the chunked head computes at once: a power of two, at least 16.

    Args:
        vocab_size: of the model.
        device: torch's name of the kind of device, "cpu" or another.
    """
    rows = (CPU_CHUNK_BYTES if device == "cpu" else GPU_CHUNK_BYTES) // (4 * vocab_size)
    return max(16, 1 << (rows.bit_length() - 1) if rows else 0)
