"""The part of `ftdist doctor` that runs on compute nodes and may load torch."""
