"""What status and watch show: tables, plots and the words for states and events."""
