"""Run a command in a terminal of its own and draw what it showed as an SVG, animated if it is given frames.

    pip install -e .[screens]
    python scripts/record_screen.py docs/screens/demo.svg --frames 24 --rows 26 -- \\
        python -m fedmezo.main --cfg configs/quickstart.yaml

The recording is the real one; only the pauses between its frames are made equal, and the user's home is called ~.
"""

import argparse
import fcntl
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

CELL, LINE, MARGIN, TITLE = 8.4, 19, 16, 34  # pixels
PAGE, INK, FONT = "#1b1f27", "#d7dae0", "14px 'DejaVu Sans Mono', Menlo, Consolas, monospace"
COLOURS = {"red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "blue": "#79c0ff", "cyan": "#76e3ea"}
LASTS = 6  # frames' time that the last one is shown for
SECONDS = 0.5  # a frame

Frame = tuple[str, ...]  # a row's SVG each


def record(command: list[str], columns: int, rows: int) -> Iterator[Frame]:
    """Yield the screen after every piece of output, the command itself on top."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    stream.feed(f"$ {shlex.join(command)}\r\n".encode())
    home = f"{Path.home()}/".encode()
    for output in outputs(command, columns, rows):
        stream.feed(output.replace(home, b"~/"))  # whose machine it was is nobody's business
        yield drawn(screen)


def outputs(command: list[str], columns: int, rows: int) -> Iterator[bytes]:
    """Yield what a command writes to a terminal of that size."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)}
    if command[0] == "python":
        command = [sys.executable, *command[1:]]
    process = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment)
    os.close(there)
    while True:
        try:
            output = os.read(here, 65536)
        except OSError:  # Linux says so when the other side has closed
            output = b""
        if not output:
            break
        yield output
    process.wait()


def drawn(screen: pyte.Screen) -> Frame:
    """Return the rows of a screen, without the empty ones at its end."""
    rows = [row(screen, number) for number in range(screen.lines)]
    while rows and not rows[-1]:
        rows.pop()
    return tuple(rows)


def row(screen: pyte.Screen, number: int) -> str:
    """Return a row as SVG, a ``tspan`` for each run of one colour; each run keeps to its cells whatever the font."""
    cells = [screen.buffer[number][column] for column in range(screen.columns)]
    spans, column = [], 0
    for (colour, bold), group in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in group)
        shown = text.strip()
        if shown:
            style = f' fill="{COLOURS.get(colour, INK)}"' * (colour in COLOURS) + ' font-weight="bold"' * bold
            left = MARGIN + (column + len(text) - len(text.lstrip())) * CELL
            place = f'x="{left:.1f}" textLength="{len(shown) * CELL:.1f}"'
            kept = escape(shown).replace(" ", "\u00a0")  # not every viewer knows white-space: pre
            spans.append(f'<tspan {place} lengthAdjust="spacingAndGlyphs"{style}>{kept}</tspan>')
        column += len(text)
    return "".join(spans)


def chosen(frames: list[tuple[float, Frame]], count: int) -> list[Frame]:
    """Return so many of the recorded frames, evenly spread over time, the last one included."""
    begin, end = frames[0][0], frames[-1][0]
    wanted = [begin + (end - begin) * index / max(1, count - 1) for index in range(count - 1)]
    found = [next(frame for moment, frame in reversed(frames) if moment <= instant) for instant in wanted]
    return [frame for frame, _ in groupby([*found, frames[-1][1]])]


def svg(frames: list[Frame], columns: int) -> str:
    """Return the picture; where animations are not shown, it is the last frame."""
    width, height = 2 * MARGIN + columns * CELL, TITLE + MARGIN + LINE * max(map(len, frames))
    dots = "".join(
        f'<circle cx="{MARGIN + 8 + 20 * index}" cy="17" r="6" fill="{colour}"/>'
        for index, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">\n'
        f"<style>text{{font:{FONT};fill:{INK};white-space:pre}}{animation(len(frames))}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{PAGE}"/>{dots}\n'
        + "".join(group(frame, index, last=index == len(frames) - 1) for index, frame in enumerate(frames))
        + "</svg>\n"
    )


def animation(count: int) -> str:
    """Return the style that shows one frame after the other."""
    if count == 1:
        return ""
    steps = count - 1 + LASTS
    rules = []
    for index in range(count):
        begin, end = 100 * index / steps, 100 * (index + 1) / steps if index < count - 1 else 100
        shown = f"0%{{visibility:hidden}}{begin:.2f}%{{visibility:visible}}{end:.2f}%{{visibility:hidden}}"
        rules.append(f"@keyframes f{index}{{{shown}}}")
        rules.append(f"#f{index}{{animation:f{index} {SECONDS * steps}s step-end infinite}}")
    return "".join(rules)


def group(frame: Frame, index: int, *, last: bool) -> str:
    """Return a frame as a group of rows."""
    texts = [
        f'<text y="{TITLE + LINE * (number + 0.7):.1f}">{line}</text>' for number, line in enumerate(frame) if line
    ]
    hidden = "" if last else ' visibility="hidden"'
    return f'<g id="f{index}"{hidden}>' + "\n".join(texts) + "</g>\n"


def main() -> None:
    """Record a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--columns", type=int, default=110)
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--frames", type=int, default=1, help="1 (default): a still picture of the end")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    frames = [(time.monotonic(), frame) for frame in record(options.command, options.columns, options.rows)]
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(svg(chosen(frames, options.frames), options.columns), encoding="utf-8")


if __name__ == "__main__":
    main()
