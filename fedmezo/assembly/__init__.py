"""Assembly: from a checked configuration to the parts of a run. The one place that reads the configuration tree."""

from fedmezo.assembly.answer_evaluations import assemble_answer_evaluations
from fedmezo.assembly.arguments import scalars_travel, zeroth_order
from fedmezo.assembly.federation import Federation, assemble_federation
from fedmezo.assembly.model import TrainableModel, assemble_model
from fedmezo.assembly.precision import precision_warnings
from fedmezo.assembly.run_spec import RunSpec, assemble_run_spec
from fedmezo.assembly.server import assemble_server
from fedmezo.assembly.task import LearningTask, assemble_evaluator, assemble_learning_task

__all__ = [
    "Federation",
    "LearningTask",
    "RunSpec",
    "TrainableModel",
    "assemble_answer_evaluations",
    "assemble_evaluator",
    "assemble_federation",
    "assemble_learning_task",
    "assemble_model",
    "assemble_run_spec",
    "assemble_server",
    "precision_warnings",
    "scalars_travel",
    "zeroth_order",
]
