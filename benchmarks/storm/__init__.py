"""A storm of faults over one run on a SLURM of this machine."""
