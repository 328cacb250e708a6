"""Tiny models and libraries for tests, examples and `experiment=tiny`."""
