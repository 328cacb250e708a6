"""Run directories, reports and logs for tests."""
