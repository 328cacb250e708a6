"""What is measured, and who is told: metrics.jsonl (the record), the console, Weights & Biases."""
