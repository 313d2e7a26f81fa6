"""Runs on a disk that is too small, or has too few inodes, gone on with once it is larger."""

import re
import resource
import shutil
import subprocess
from pathlib import Path

from scripts.crash.bench import Bench, stage
from scripts.crash.programs import Ended, forked
from scripts.crash.tally import Tally, progress

PAGE = 4096
UNNAMED = "exit 3, no file named"


def full_disk(bench: Bench, wanted: int) -> Tally:
    """Let runs meet the end of their disk."""
    tally = Tally("disk full at")
    disk = bench.scratch / "disk"
    disk.mkdir()
    mountable = mounted(disk, "size=64k")
    if mountable:
        umount(disk)
    else:
        print("full disk: mounting is not allowed; a limit of the size of files stands in", flush=True)
    sizes = disk_sizes(bench, wanted) if mountable else [f"limit={(index + 1) * PAGE}" for index in range(wanted)]
    for number, size in enumerate(sizes, start=1):
        (fill_disk if mountable else fill_files)(bench, disk, size, tally)
        progress("full disk", number, len(sizes), tally)
    return tally


def disk_sizes(bench: Bench, wanted: int) -> list[str]:
    """Return options of mount: two thirds too small, from one page on; one third with too few inodes."""
    files = [path for path in (bench.scratch / "reference").rglob("*") if path.is_file()]
    pages = sum(-(-path.stat().st_size // PAGE) for path in files) + 4
    inodes = len(files) + 12
    few = wanted // 3
    many = wanted - few
    found = [f"size={PAGE * (1 + index * pages // many)}" for index in range(many)]
    return found + [f"size=16m,nr_inodes={2 + index * inodes // few}" for index in range(few)]


def mounted(folder: Path, options: str) -> bool:
    """Mount a small disk, or change its size, and return whether that is possible."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def umount(folder: Path) -> None:
    """Unmount a disk; what is on it is gone."""
    subprocess.run(["umount", str(folder)], check=True)


def fill_disk(bench: Bench, disk: Path, size: str, tally: Tally) -> None:
    """Run on a disk that is too small, then on one that is not."""
    if not mounted(disk, size):
        raise SystemExit(f"{disk} cannot be mounted with {size}")
    try:
        full = forked("main", bench.words(disk))
        enlarge = ["mount", "-o", "remount,size=16m,nr_inodes=1k", str(disk)]
        kind = count_full(full, disk, size, tally)
        saved = bench.scratch / f"disk-{size}"
        shutil.copytree(disk, saved)  # as it was when the disk was full
        subprocess.run(enlarge, check=True)
        before = len(tally.failures)
        finish_copy(bench, disk, f"{size}: exit code {full.code}\n{full.output}\nwas, full, as in {saved}", kind, tally)
        if len(tally.failures) == before and not full.defect:
            shutil.rmtree(saved)
    finally:
        umount(disk)


def finish_copy(bench: Bench, disk: Path, history: str, kind: str, tally: Tally) -> None:
    """Go on in a folder of the disk that may be removed."""
    outdir = disk / "on"
    outdir.mkdir()
    for path in [path for path in disk.iterdir() if path != outdir]:
        path.rename(outdir / path.name)
    bench.finish(tally, kind, outdir, history)


def fill_files(bench: Bench, disk: Path, size: str, tally: Tally) -> None:
    """Run with a limit of the size of files, then without."""
    most = int(size.partition("=")[2])
    outdir = disk / str(most)
    outdir.mkdir()
    limits = (most, resource.RLIM_INFINITY)
    full = forked("main", bench.words(outdir), prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    bench.finish(tally, count_full(full, outdir, size, tally), outdir, f"{size}: exit code {full.code}\n{full.output}")


def count_full(full: Ended, outdir: Path, size: str, tally: Tally) -> str:
    """Count how a run ended whose disk was full, and return where in the run that was."""
    kind = f"{re.sub('=.*', '', size.rpartition(',')[2])}, {stage(full._replace(code=-1), outdir)}"
    told = full.output[full.output.rfind("\nfedmezo: ") + 1 :]
    if full.defect:
        what = full.defect
    elif full.code == 0:
        kind, what = "nothing, it fits", "exit 0"
    elif full.code != 3 or full.output.count("fedmezo: ") != 1:
        what = f"exit {full.code}, {full.output.count('fedmezo: ')} messages"
    else:
        what = "exit 3, one message" if str(outdir) in told else UNNAMED
    failed = what not in ("exit 0", "exit 3, one message")
    tally.add(kind, what, f"{size}: exit code {full.code}\n{full.output}" if failed else "")
    return kind
