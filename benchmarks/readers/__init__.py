"""Document readers compared: which facts of a document its text still holds."""
