"""The page: figures first, and what was not measured by name."""

from collections.abc import Callable, Mapping
from typing import Any

Figures = Mapping[str, Any]
Row = Callable[[str, Figures, Mapping[str, Figures]], list[str]]

NOT_RUN = """# On a GPU

**This was not run on a GPU so far**: none was at hand. `make gpu` measures what belongs here, in eight minutes, and
writes this page: the card, the tests marked `gpu`, directions a second, steps beside two plain forwards, memory over
inference, engines.
[GPUs](../../guides/gpus.md) has the commands of runs.
"""
WARNINGS = {
    "gpu": "",
    "stand-in": "**Figures of a stand-in for a GPU, which is the CPU: they say that the command works, no more.**\n\n",
    "cpu": "**Figures of the CPU, to try the command: nothing here is about a GPU.**\n\n",
}
FIRST_WORDS = {
    "tests": "The tests marked `gpu`",
    "kernel": "Directions: sums of terms z(key), the compiled kernel beside plain torch on the same device",
    "steps": "A step over two plain forwards of the same dtype, interleaved",
    "memory": "Peak memory over inference, of the allocator, with the weights",
    "engines": "Engines on one GPU: two clients with two steps each",
}
HEADERS = {
    "tests": ("", "passed", "failed", "skipped"),
    "kernel": (
        "vector",
        "terms",
        "distribution",
        "dtype",
        "µs",
        "directions/s",
        "GB/s",
        "plain torch, µs",
        "the CPU's bits",
    ),
    "steps": (
        "model, trained, dtype, batch",
        "ours",
        "as published",
        "ours, ms",
        "ours: memory",
        "as published: memory",
    ),
    "memory": ("", "peak, MiB", "over inference", "above the weights, MiB"),
    "engines": ("", "a round, s", "clients' work, s", "overhead, s", "start-up, s"),
}


def page(results: Figures | None) -> str:
    """Return the page of some results; without any it says so."""
    if results is None:
        return NOT_RUN
    parts = results["parts"]
    tables = [_section(name, parts.get(name), results["minutes"]) for name in HEADERS]
    return f"# On a GPU\n\n{WARNINGS[results['on']]}{_machine(results)}\n" + "\n".join(tables)


def _machine(results: Figures) -> str:
    found = results["parts"]["machine"]["rows"]["machine"]
    if "failed" in found:
        return f"The machine: {found['failed']}\n"
    versions = ", ".join(f"{name} {found['packages'][name]}" for name in ("torch", "triton", "transformers", "peft"))
    memory = f", {found['memory_bytes'] / 2**30:.0f} GiB" if found["memory_bytes"] else ""
    commit = (found["commit"] or "unknown")[:7]
    command = f"python -m benchmarks.gpu --minutes {results['minutes']:g}{' --quick' if results['quick'] else ''}"
    return (
        f"{found['gpu'] or found['processor']}{memory}; driver {found['driver'] or 'unknown'};\n"
        f"{versions}, Python {found['python']}; half precision is {found['half']}.\n"
        f"{found['date']}, commit {commit}: `{command}`. All figures are in `results.json`.\n"
    )


def _section(name: str, part: Figures | None, minutes: float) -> str:
    lines = [f"## {FIRST_WORDS[name]}", ""]
    if part is None or not (part["plan"] or part.get("failed")):
        return "\n".join([*lines, f"Not measured: no time was left of {minutes:g} minutes.", ""])
    rows = part["rows"]
    measured = [row for row in part["plan"] if row in rows and "failed" not in rows[row]]
    if measured:
        lines += [_line(HEADERS[name]), "|---" * len(HEADERS[name]) + "|"]
        lines += [_line(ROWS[name](row, rows[row], rows)) for row in measured]
        lines += ["", *_remarks(rows), f"{part['seconds']:.0f} s.", ""]
    lines += [f"- {row}: **{rows[row]['failed']}**" for row in part["plan"] if "failed" in rows.get(row, {})]
    left = [row for row in part["plan"] if row not in rows]
    lines += [f"- Not measured, as no time was left: {'; '.join(left)}."] if left else []
    lines += [f"- Ended early: **{part['failed']}**"] if "failed" in part else []
    return "\n".join([*lines, ""]).rstrip() + "\n"


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _remarks(rows: Mapping[str, Figures]) -> list[str]:
    """Return what is said of tests that failed, or were not all run."""
    found = [f"- `{test}`: {why}" for row in rows.values() for test, why in row.get("failures", {}).items()]
    found += ["- Not all of them were run."] if any(row.get("complete") is False for row in rows.values()) else []
    return [*found, ""] if found else []


def _test(name: str, row: Figures, rows: Mapping[str, Figures]) -> list[str]:
    return [f"`{name}`", str(row["passed"]), str(row["failed_tests"]), str(row["skipped"])]


def _kernel(name: str, row: Figures, rows: Mapping[str, Figures]) -> list[str]:
    speed = [f"{row[key]:,.0f}" for key in ("microseconds", "directions_per_second", "gigabytes_per_second")]
    what = [f"{row['size']} ({row['elements']:,})", str(row["terms"]), row["distribution"], row["rounding"]]
    return [*what, *speed, f"{row['eager_microseconds']:,.0f}", "yes" if row["same_bits"] else "**no**"]


def _step(name: str, row: Figures, rows: Mapping[str, Figures]) -> list[str]:
    ours, theirs = row["ours"], row["textbook"]
    low, high = ours["ratio_quartiles"]
    ratio = f"**{ours['ratio']:.2f}** ({low:.2f} .. {high:.2f})"
    memory = [_or_nothing(each["memory_ratio"]) for each in (ours, theirs)]
    return [name, ratio, f"{theirs['ratio']:.2f}", f"{ours['milliseconds']:.1f}", *memory]


def _memory(name: str, row: Figures, rows: Mapping[str, Figures]) -> list[str]:
    base = rows.get(f"{name.partition(':')[0]}: inference", {})
    ratio = _or_nothing(row["peak"] / base["peak"] if "peak" in base else None)
    return [name, f"{row['peak']:,.0f}", ratio, f"{row['working'] - row['loaded']:,.0f}"]


def _engine(name: str, row: Figures, rows: Mapping[str, Figures]) -> list[str]:
    return [name, *(f"{row[key]:.2f}" for key in ("seconds", "compute", "overhead", "start_up"))]


def _or_nothing(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


ROWS: dict[str, Row] = {"tests": _test, "kernel": _kernel, "steps": _step, "memory": _memory, "engines": _engine}
