"""W&B servers and runs for tests."""
