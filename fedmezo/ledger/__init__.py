"""The ledger: the append-only log that determines a run."""
