"""Base and tuned model on the same questions: answers, scores, and both side by side."""
