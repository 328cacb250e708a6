"""Rows of chats, questions and texts, from files of records."""
