"""Tools for developers of ftdist; not installed."""
