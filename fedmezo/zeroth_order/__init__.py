"""Zeroth-order optimisation: directions, gradient estimators and replay. Knows tensors, not clients."""
