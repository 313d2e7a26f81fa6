"""FedMeZO: federated fine-tuning of large language models without backpropagation."""

__version__ = "0.2.0"
