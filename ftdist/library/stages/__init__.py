"""The stages of a curation, in the order in which `pipeline.py` runs them."""
