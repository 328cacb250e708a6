"""ftdist: full-parameter fine-tuning on a cluster, with proof of what was gained."""

__version__ = "0.1.0"
