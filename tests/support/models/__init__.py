"""Tiny models, tokenizers and checkpoints for tests."""
