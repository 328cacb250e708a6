"""Rows that hold a chat: messages, threads of people, tools and their calls."""
