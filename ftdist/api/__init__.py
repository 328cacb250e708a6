"""What the commands do, as functions: for notebooks, scripts, and the command line itself."""
