"""Sweeps: runs that belong together, their scores, and the search for the best."""
