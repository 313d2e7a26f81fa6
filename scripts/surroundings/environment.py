"""Environment variables that somebody has set to something: the run is the reference's, or refused with a message."""

import os
import random
import shutil
from pathlib import Path

from scripts.crash.bench import Bench
from scripts.crash.programs import Ended, Prepare, fresh
from scripts.crash.tally import Tally, progress

FOLDERS = (
    *(
        "HOME",
        "TMPDIR",
        "FEDMEZO_CACHE",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "HF_HOME",
        "HF_HUB_CACHE",
        "HF_DATASETS_CACHE",
    ),
    *("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR", "WANDB_DIR", "WANDB_CACHE_DIR"),
)
PLACES = (
    "",
    "relative",
    "/",
    "/nonexistent/deep",
    "/dev/null",
    "/proc",
    "~",
    "~nobody-of-this-name",
    "a\nb",
    "x" * 300,
)
WORDS = {
    "HF_ENDPOINT": ("", "hf-mirror.com", "http://", "http://127.0.0.1:1", "https://[", "ftp://x", "http://a:b"),
    "HF_HUB_OFFLINE": ("", "0", "1", "maybe"),
    "TRANSFORMERS_OFFLINE": ("1", "maybe"),
    "HF_TOKEN": ("", "x", "ü"),
    "http_proxy": ("", "http://proxy:port", "proxy", "http://127.0.0.1:1"),
    "https_proxy": ("", "http://proxy:port", "socks5://127.0.0.1:1"),
    "TRANSFORMERS_VERBOSITY": ("", "debug", "loud"),
    "HF_HUB_VERBOSITY": ("", "info", "loud"),
    "MPLBACKEND": ("", "foo", "TkAgg", "module://nowhere", "agg"),
    "CUDA_VISIBLE_DEVICES": ("", "-1", "0", "9", "x"),
    "COLUMNS": ("", "0", "-1", "1", "20", "100000", "many"),
    "LINES": ("0", "-1", "few"),
    "TERM": ("", "dumb", "no-such-terminal"),
    "TQDM_DISABLE": ("", "1", "no"),
    "TQDM_MININTERVAL": ("", "-1", "soon"),
    "LANG": ("", "C", "de_DE.UTF-8", "xx_XX"),
    "LC_ALL": ("", "C", "POSIX", "xx_XX"),
    "TZ": ("", "UTC", "nowhere", "Asia/Kathmandu"),
    "PYTHONIOENCODING": ("ascii", "latin-1", "utf-8:strict"),
    "PYTHONUTF8": ("0", "1"),
    "PYTHONUNBUFFERED": ("1",),
    "PYTHONHASHSEED": ("0", "random", "17"),
    "PYTHONWARNINGS": ("", "error::UserWarning", "ignore", "nonsense"),
    "PYTHONOPTIMIZE": ("1", "2"),
    "NUMBA_NUM_THREADS": ("1", "2"),
    "NUMBA_CACHE_LOCATOR_CLASSES": ("", "Nothing"),
    "WANDB_MODE": ("", "offline", "disabled", "online", "maybe"),
    "TOKENIZERS_PARALLELISM": ("", "true", "maybe"),
    "RAYON_NUM_THREADS": ("", "0", "1", "x"),
    "OMP_NUM_THREADS": ("1", "0", "-1", "x"),
    "MKL_NUM_THREADS": ("1", "x"),
    "CXX": ("", "no-such-compiler"),
    "USER": ("", "nobody-of-this-name"),
    "LOGNAME": ("", "nobody-of-this-name"),
    "SHELL": ("", "/nonexistent"),
    "PATH": ("", "/nonexistent"),
}
UNSET = (*FOLDERS, "PATH", "USER", "LOGNAME", "LANG", "TERM", "SHELL")
MAY_END = (0, 2, 3)


def environments(bench: Bench, wanted: int) -> Tally:
    """Start runs in interpreters of their own, with one to three variables set to something, or not set."""
    tally = Tally("started with")
    for number in range(1, wanted + 1):
        draw, outdir = bench.draw("environment", number), bench.scratch / f"environment-{number}"
        outdir.mkdir()
        variables = drawn(draw)
        ended = fresh(bench.words(outdir), prepare=prepared(variables, outdir))
        count(tally, bench, variables, ended, outdir)
        progress("environments", number, wanted, tally)
    return tally


def drawn(draw: random.Random) -> dict[str, str | None]:
    """Return one to three variables with their values; None for one that is not set."""
    variables: dict[str, str | None] = {}
    for _ in range(draw.choice((1, 1, 2, 3))):
        name = draw.choice((*FOLDERS, *WORDS))
        without = name in UNSET and draw.random() < 0.2
        variables[name] = None if without else draw.choice(WORDS.get(name, PLACES))
    return variables


def prepared(variables: dict[str, str | None], folder: Path) -> Prepare:
    """Return what gives a process these variables, and a working folder of its own for relative paths."""

    def prepare() -> None:
        os.environ.setdefault("PYTHONPATH", os.getcwd())  # noqa: PTH109  (before the interpreter, no pathlib)
        os.chdir(folder)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return prepare


def count(tally: Tally, bench: Bench, variables: dict[str, str | None], ended: Ended, outdir: Path) -> None:
    """Count how a run ended, and remove it where it may end so."""
    kind = min(variables)
    report = f"{variables}\nkept in {outdir}\nexit code {ended.code}\n{ended.output}"
    if ended.defect or ended.code not in MAY_END:
        tally.add(kind, ended.defect or f"exit code {ended.code}", report)
    elif ended.code and "fedmezo: " not in ended.output:
        tally.add(kind, "no message", report)
    elif ended.code == 0 and (differing := bench.differing(outdir / "run")):
        tally.add(kind, "differs", f"differs in {', '.join(differing)}; {report}")
    else:
        tally.add(kind, f"exit code {ended.code}")
        shutil.rmtree(outdir)
