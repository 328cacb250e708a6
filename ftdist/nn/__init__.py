"""The model under training: wrapper, attention, loss, learning-rate schedule."""
