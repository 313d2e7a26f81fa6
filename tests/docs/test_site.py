"""The documentation site: built strictly, so that links, anchors and what docstrings say of parameters are checked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.layers_picture import ROOT, picture


@pytest.mark.full  # CI calls make docs
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """No network: a page that asked for something would not be strict, and fonts are not fetched."""
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--quiet",
            "--config-file",
            str(ROOT / "mkdocs.yml"),
            "-d",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert (built.returncode, built.stderr) == (0, "")
    pages = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis" not in pages and (tmp_path / "api" / "fedmezo").is_dir()


def test_the_picture_of_the_layers_is_that_of_the_contract() -> None:
    assert (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8") == picture()
