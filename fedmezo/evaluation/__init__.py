"""Evaluation: losses of the global model, and how they compare between two points."""
