"""The training step, the loop around it, and the room where everything is built."""
