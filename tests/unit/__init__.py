"""Fast tests: no network, no torch.distributed."""
