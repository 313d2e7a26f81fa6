"""The script that makes certificates, as a function: it is no part of the package."""

import runpy

from tests.conftest import REPOSITORY


def make_certificates(*arguments: str) -> int:
    """Run its command line in this process, and return the exit code."""
    script = runpy.run_path(str(REPOSITORY / "scripts" / "make_certificates.py"))
    return int(script["main"](list(arguments)))
