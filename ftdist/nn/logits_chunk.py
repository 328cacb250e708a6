"""Size of the chunks in which the chunked head computes logits. Imports no torch."""

LOGITS_CHUNK_BYTES = 64 * 2**20
"""Maximum size of one chunk of logits in float32."""


def logits_chunk_rows(vocab_size: int) -> int:
    """Tokens whose logits the chunked head computes at once: a power of two, at least 16.

    Enough rows for an efficient matrix product; torch's own choice, about T H / V of T tokens,
    was 8 rows for a small model with a large vocabulary, and 25 times slower (docs/LOG.md).
    """
    rows = LOGITS_CHUNK_BYTES // (4 * vocab_size)
    return max(16, 1 << (rows.bit_length() - 1) if rows else 0)
