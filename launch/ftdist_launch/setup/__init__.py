"""What precedes a run: checks, paths, the plan, the run directory and the code snapshot."""
