"""A curated library on disk, and the cache of rows read."""
