"""Tests of the checks of `ftdist doctor` on the login node."""
