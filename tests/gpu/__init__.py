"""Tests on several real processes."""
