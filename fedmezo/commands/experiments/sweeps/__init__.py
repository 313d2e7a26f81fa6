"""Sweeps: many runs over a grid, or over a space that is searched, each an ordinary run."""
