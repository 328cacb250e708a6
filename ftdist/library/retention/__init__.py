"""What is mixed in so that a model keeps what it knows and stays in its lane."""
