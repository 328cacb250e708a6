"""Configs and dataset descriptions of other trainers, as overrides of ftdist."""
