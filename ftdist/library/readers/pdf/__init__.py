"""PDF to blocks with page numbers, and tables to rows."""
