"""Runs on a SLURM cluster: submit, batch hooks, job status."""
