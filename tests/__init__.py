"""Tests of ftdist, by tier; see README.md beside this file."""
