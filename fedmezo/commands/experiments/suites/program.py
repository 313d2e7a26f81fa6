"""The paper's tables and figures, those of other works, our own: one suite each, from grids in configs/paper/*.yaml.

python scripts/paper.py SUITE ... [--scale smoke|cpu|paper] [--seeds 3] [--resume] [-- key value ...]

- smoke: the tiny model, one seed: that everything works.
- cpu: SmolLM2-135M with few rounds on two cores; wants data: -- data.root FOLDER
- paper: the published settings, for a GPU.

Where arms have rates, these are chosen first, on validation data with a seed of their own; then the arms are run.

--resume goes on with suites where they stopped. Results are in results/SUITE/SCALE: README.md (a page with table and
figure), runs.csv, table.tex, figure.png, figure.pdf, environment.json; every run is an ordinary one, in runs/ there.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fedmezo.commands.arguments import described, positive
from fedmezo.commands.experiments.suites.options import add_options_of_many, parse_options_of_many, resumable

PROGRAM = "python scripts/paper.py"
SCALES = ("smoke", "cpu", "paper")


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=described(__doc__, PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", metavar="SUITE", nargs="+", help="names of configs/paper/*.yaml, or all")
    parser.add_argument("--scale", choices=SCALES, default="smoke", help="default: smoke")
    parser.add_argument("--seeds", metavar="N", type=positive, help="seeds of each arm (default: as the scale says)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("results"), help="default: results")
    parser.add_argument("--report", action="store_true", help="run nothing: write the results of what is finished")
    add_options_of_many(parser)
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM, folder: Path | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: of the command line.
        program: as the user calls it.
        folder: of the suites; None: those that are shipped.
    """
    options = parse_options_of_many(parser(program), arguments)
    return resumable(program, arguments, lambda: execute(options, program, folder))


def execute(options: argparse.Namespace, program: str, folder: Path | None) -> int:
    """Run the suites."""
    from fedmezo.commands import shipped  # help is there before these
    from fedmezo.commands.experiments.suites.run import run_suites

    return run_suites(options, program, folder or shipped.folder() / shipped.SUITES)
