import subprocess
import sys

import pytest

CODE = """
import numpy, torch
from fedmezo.core.memory import peak_memory_mib
before = peak_memory_mib()
numpy.ones(100 * 2**17).sum()  # 100 MiB
print(before, peak_memory_mib(), open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compared with /proc")
def test_the_peak_is_that_of_the_kernel_and_outlives_what_caused_it() -> None:
    finished = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    before, after, kernel = map(float, finished.stdout.split())
    assert after == pytest.approx(kernel / 1024, rel=0.02)
    assert after - before == pytest.approx(100, rel=0.2)
