"""Normalise text, mask personal data and secrets, remove boilerplate."""
