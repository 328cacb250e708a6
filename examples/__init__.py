"""What the demo runs on: a real base model and an invented product's library."""
