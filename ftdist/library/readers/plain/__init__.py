"""Text and its markups: Markdown, reStructuredText, DocBook, mail, notebooks, subtitles."""
