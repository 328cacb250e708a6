"""Tests on a real SLURM of several nodes."""
