"""What loading a configuration imports."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from fedmezo.config import help_config, load
from fedmezo.core.errors import ConfigurationError

load(Path(sys.argv[1]))
help_config()
try:
    load(Path(sys.argv[1]), ["federate.client_nun", "3", "data.type", "x"])
except ConfigurationError:
    print(*sys.modules)
"""


def test_no_heavy_package_is_imported(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("seed: 1", encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "my.yaml")]
    imported = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert {"yaml", "yacs", "fedmezo.config"} <= imported
    assert not imported & {
        "torch",
        "numpy",
        "transformers",
        "peft",
        "datasets",
        "fedmezo.federation.strategies",
        "fedmezo.training",
    }
