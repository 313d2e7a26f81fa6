"""Theory: the quantities that the convergence analysis reasons with, measured on a run. One concept a file.

Source: Ling et al., "On the convergence of zeroth-order federated tuning for large language models" (KDD 2024,
arXiv 2402.05926); docs/guides/theory.md has the equations.
"""
