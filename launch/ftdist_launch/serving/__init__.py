"""Serving an exported model: an OpenAI-compatible endpoint and a page to chat with it."""
