"""From conversations and text to packed rows of tokens: encoding, packing, order, batches."""
