"""Assembly: from a checked configuration to the parts of a run. The one place that reads the configuration tree."""

from fedmezo.assembly.arguments import scalars_travel, zeroth_order
from fedmezo.assembly.evaluation import assemble_evaluator
from fedmezo.assembly.federation import Federation, assemble_federation, assemble_server
from fedmezo.assembly.identity import assemble_header, identity, trainable_hashes
from fedmezo.assembly.learning_task import LearningTask, assemble_learning_task
from fedmezo.assembly.model import TrainableModel, assemble_model
from fedmezo.assembly.precision import precision_warnings

__all__ = [
    "Federation",
    "LearningTask",
    "TrainableModel",
    "assemble_evaluator",
    "assemble_federation",
    "assemble_header",
    "assemble_learning_task",
    "assemble_model",
    "assemble_server",
    "identity",
    "precision_warnings",
    "scalars_travel",
    "trainable_hashes",
    "zeroth_order",
]
