"""The kind of a file, by its content."""
