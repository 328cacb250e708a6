"""SLURM clusters and their records for tests."""
