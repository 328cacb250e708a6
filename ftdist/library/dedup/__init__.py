"""Exact and near duplicates (MinHash LSH), of rows and of sections."""
