"""Shared text helpers: word matching, n-gram hashes, decontamination."""
