"""A campaign: the tiny run measured in a scratch folder, whatever is done to it, and what came of that."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from scripts.crash.bench import Bench
from scripts.crash.programs import preload
from scripts.crash.tally import Tally


def campaign(name: str, trainer: str, seed: int, parts: Callable[[Bench], Iterable[Tally]]) -> int:
    """Run the parts on a new bench and print their tables; the scratch folder is kept where something failed.

    Args:
        name: of the scratch folder.
        trainer: of the run.
        seed: of the cases.
        parts: give a tally each.

    Returns:
        The exit code: 0 if nothing failed, else 1.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f"{name}."))
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "FEDMEZO_CACHE": str(scratch / "cache")}
    preload()
    bench = Bench(scratch, trainer, seed)
    bench.measure()
    print(f"{trainer}, seed {seed}, in {scratch}: the run takes {bench.wall:.2f} s", flush=True)
    tallies = list(parts(bench))
    failures = sum(len(tally.failures) for tally in tallies)
    print("".join(f"\n{tally.table()}\n" for tally in tallies))
    print(f"{failures} failures{f'; see {scratch}' if failures else ''}")
    if not failures:
        shutil.rmtree(scratch)
    return 1 if failures else 0
