"""The quantities of the convergence analysis, measured on a run: ``python scripts/theory.py RUN``

Effective rank and smoothness of the Hessian, how batches and clients differ, the variance of the gradient estimate, and
the step-size condition next to the chosen rate. Written to RUN/theory.md and RUN/theory.json;
docs/guides/theory.md explains.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields

from fedmezo.commands.arguments import moved_hint, positive, read_run, run_parser, wanted_round
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.log import on_screen
from fedmezo.core.process import exit_code, raise_on_interrupt

PROGRAM = "python scripts/theory.py"
LEAST = {"batches": 3, "pairs": 2, "steps": 2, "moves": 2, "blocks": 2}


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = run_parser(__doc__, PROGRAM, program)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--round", metavar="R", type=wanted_round, nargs="+", default=[0, "final"],
        help="after how many rounds, final, or best; several, for what is between them (default: 0 final)",
    )  # fmt: skip
    for name, default, what in (
        ("batches", 5, "of each client, for gradients"),
        ("estimates", 1, "of the gradient on each batch, for their variance"),
        ("examples", 3, "whose mean loss the Hessian is of"),
        ("pairs", 3, "of random vectors, for the trace"),
        ("steps", 6, "of Lanczos' method, for the eigenvalues"),
        ("moves", 8, "in blocks and along whole directions, whose gain is measured where there are blocks"),
        ("held-out", 16, "examples that this gain is measured on"),
    ):
        parser.add_argument(
            f"--{name}", metavar="N", type=positive, default=default, help=f"{what} (default {default})"
        )
    parser.add_argument(
        "--blocks", metavar="N", type=positive,
        help="of a run without zo.blocks: compare whole directions with directions in so many blocks of layers",
    )  # fmt: skip
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_args(arguments)
    return exit_code(lambda: execute(options), moved_hint)


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Measure, and print what was found."""
    for name, least in LEAST.items():
        if (given := getattr(options, name)) is not None and given < least:
            raise ConfigurationError(f"--{name} {given}\n    expected {least} at least")
    folder, cfg = read_run(options.run, options.model)
    with on_screen(1):
        from fedmezo.commands.theory import measure
        from fedmezo.evaluation.theory.bench import Sizes

        raise_on_interrupt()
        sizes = Sizes(**{each.name: getattr(options, each.name) for each in fields(Sizes)})
        found = measure(cfg, folder, options.round, sizes, options.blocks)
    print(found.page, flush=True)  # before what a full disk or a folder of somebody else's may prevent
    folder.write_json("theory.json", found.values)
    folder.write_text("theory.md", found.page + "\n")
    print(f"\nwritten: {folder.path / 'theory.md'}, {folder.path / 'theory.json'}")
    return 0
