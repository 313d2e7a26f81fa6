"""Assembly: from a checked configuration to the parts of a run. The one place that reads the configuration tree."""

from fedmezo.assembly.arguments import scalars_travel, zeroth_order
from fedmezo.assembly.evaluation import assemble_evaluator
from fedmezo.assembly.federation import Federation, assemble_federation, assemble_server
from fedmezo.assembly.identity import assemble_header, identity, tunable_hashes
from fedmezo.assembly.model import Tunable, assemble_model
from fedmezo.assembly.precision import precision_warnings
from fedmezo.assembly.problem import Problem, assemble_problem

__all__ = [
    "Federation",
    "Problem",
    "Tunable",
    "assemble_evaluator",
    "assemble_federation",
    "assemble_header",
    "assemble_model",
    "assemble_problem",
    "assemble_server",
    "identity",
    "precision_warnings",
    "scalars_travel",
    "tunable_hashes",
    "zeroth_order",
]
