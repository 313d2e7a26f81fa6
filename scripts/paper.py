"""The tables and figures of the paper, and our own additions: ``fedmezo paper`` from a checkout."""

from fedmezo.core.process import begin, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import sys

from fedmezo.commands.experiments.suites.program import main

if __name__ == "__main__":
    sys.exit(run_program(main))
