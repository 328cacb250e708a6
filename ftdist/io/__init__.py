"""Shared file helpers: atomic folders, hashes, JSON lines, disk space, worker pool, progress."""
