"""The commands: a small file a verb, which parses, calls and prints. Nothing here loads torch."""
