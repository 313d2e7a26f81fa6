"""The tests marked ``gpu``: how many pass, and which do not."""

from pathlib import Path

import pytest

from benchmarks.gpu.part import Figures, Setting

TESTS = Path(__file__).parents[2] / "tests"


def plan(quick: bool) -> list[str]:
    """Return the one row."""
    return ["pytest -m gpu"]


class Tally:
    """A plugin of pytest that counts outcomes as they come."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.figures: Figures = {"passed": 0, "failed_tests": 0, "skipped": 0, "failures": {}, "complete": False}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test: its call, or the set-up or the end that went wrong or was skipped."""
        if report.when != "call" and report.passed:
            return
        self.figures["failed_tests" if report.failed else report.outcome] += 1
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
            self.figures["failures"][report.nodeid] = lines[0][1:].strip()[:200] if lines else report.when
        self._setting.tell(self.figures)


def measure(name: str, setting: Setting) -> Figures:
    """Run them, in this process."""
    tally = Tally(setting)
    files = [str(path) for path in sorted(TESTS.rglob("test_*.py")) if "mark.gpu" in path.read_text(encoding="utf-8")]
    more = ["-p", "tests.gpu_standin.plugin"] if setting.stand_in else []
    words = ["-q", "-n", "0", "-p", "no:cacheprovider", "-m", "gpu and not full", *more, *files]
    code = int(pytest.main(words, plugins=[tally]))
    return tally.figures | {"complete": code in (0, 1)}
