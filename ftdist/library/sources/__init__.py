"""Data paths, as configs name them, to local files: Hub datasets, saved datasets, folders."""
