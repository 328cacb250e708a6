"""PDFs and real libraries for tests."""
