"""Weights & Biases: the only room that talks to it."""
