"""The paper's tables and figures, and our own additions: one suite each, from grids in configs/paper/*.yaml.

python scripts/paper.py SUITE ... [--scale smoke|cpu|paper] [--seeds 3] [--resume] [-- key value ...]

- smoke: the tiny model, one seed: that everything works.
- cpu: SmolLM2-135M with few rounds on two cores; wants data: -- data.root FOLDER
- paper: the published settings, for a GPU.

--resume goes on with suites where they stopped. Results are in results/SUITE/SCALE: README.md (a page with table and
figure), runs.csv, table.tex, figure.png, figure.pdf, environment.json; every run is an ordinary one, in runs/ there.
"""

from fedmezo.core.process import begin, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import sys
from functools import partial
from pathlib import Path

from fedmezo.commands.experiments.suites.program import main

if __name__ == "__main__":
    sys.exit(run_program(partial(main, folder=Path(__file__).parents[1] / "configs" / "paper", description=__doc__)))
