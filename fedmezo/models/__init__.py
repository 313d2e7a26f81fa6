"""Models: where weights come from, adapters, the flat buffer of trainable parameters, and scoring."""
