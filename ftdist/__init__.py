"""ftdist: full-parameter fine-tuning of language models on a cluster, with proof of what was gained."""

__version__ = "0.1.0"
