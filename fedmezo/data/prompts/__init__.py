"""Prompts: how an example is put to the model, up to where the response begins, and what ends the response."""
