"""The choice of held-out rows."""
