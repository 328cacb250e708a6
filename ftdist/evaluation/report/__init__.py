"""Show a comparison: terminal, Markdown, HTML."""
