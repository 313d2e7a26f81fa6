"""The quantities of the convergence analysis, measured on a run: ``fedmezo theory`` from a checkout."""

from fedmezo.core.process import begin, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import sys

from fedmezo.commands.subcommands.theory import main

if __name__ == "__main__":
    sys.exit(run_program(main))
