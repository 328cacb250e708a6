"""Office documents: Word, Excel, PowerPoint, OpenDocument, EPUB."""
