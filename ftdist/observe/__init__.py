"""Metrics and where they go: metrics.jsonl, the console, Weights & Biases."""
