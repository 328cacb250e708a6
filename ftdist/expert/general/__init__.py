"""General text and general questions that a comparison asks beside the library's own: none yet."""

from ftdist.expert.probes import Probe


def general_passages() -> tuple[str, ...]:
    """Passages of general text."""
    return ()


def general_items() -> tuple[Probe, ...]:
    """Multiple-choice questions of general knowledge."""
    return ()
