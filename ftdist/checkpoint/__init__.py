"""Checkpoints: how training state is kept, found again and exported."""
