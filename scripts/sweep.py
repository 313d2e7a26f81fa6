"""Many runs over a grid, or a space that is searched, given in a YAML file; see configs/sweeps.

python scripts/sweep.py SWEEP [--workers N] [--resume] [-- key value ...]

Trials are ordinary runs in results/sweeps/NAME/runs; what they gave is in trials.csv and README.md beside it, the best
first. --resume goes on where a sweep stopped.
"""

from fedmezo.core.process import begin, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import sys
from functools import partial

from fedmezo.commands.experiments.sweeps.program import main

if __name__ == "__main__":
    sys.exit(run_program(partial(main, description=__doc__)))
