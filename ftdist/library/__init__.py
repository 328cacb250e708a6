"""The specialist library: conversations and documents read, checked, tokenised and packed."""
