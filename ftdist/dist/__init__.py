"""Ranks, devices, collectives and stop requests."""
