"""What `datasets` keeps of the promises that ftdist's own pipeline makes."""
