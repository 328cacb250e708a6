"""Tokenise and pack a library for training."""
