"""lm-evaluation-harness (lm_eval): a run's model asked its tasks, and a task of ours over a local file.

The only package that imports lm_eval; names are checked and files written without torch.
"""
