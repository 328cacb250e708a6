"""What documents teach: passages to read on, and questions that they answer themselves."""
