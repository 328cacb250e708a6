"""Tests of the part of `ftdist doctor` that runs on compute nodes."""
