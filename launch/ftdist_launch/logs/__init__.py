"""Log files of all ranks, merged by timestamp."""
