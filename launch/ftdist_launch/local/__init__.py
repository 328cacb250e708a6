"""Runs on this machine: start ranks, watch them, restart."""
