"""Examples become tokens, tokens become clients: sources, prompts, encoding, splitters, batches."""
