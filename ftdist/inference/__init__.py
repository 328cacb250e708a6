"""Generation and log-likelihood with a Hugging Face model or an OpenAI-compatible endpoint."""
