"""Many runs over a grid, or a space that is searched: ``fedmezo sweep`` from a checkout."""

from fedmezo.core.process import begin, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import sys

from fedmezo.commands.experiments.sweeps.program import main

if __name__ == "__main__":
    sys.exit(run_program(main))
