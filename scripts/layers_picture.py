"""Draw the layers of the import contract of ``pyproject.toml`` as ``docs/architecture.svg``.

python -m scripts.layers_picture
"""

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, GAP = 720, 34, 6


def layers() -> list[str]:
    """Return the layers from top to bottom."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (found,) = (contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    return [layer.replace(" | ", ", ") for layer in found]


def picture() -> str:
    """Return the picture, whose text takes the colour of the page."""
    rows = []
    for number, layer in enumerate(layers()):
        top, inset = number * (HEIGHT + GAP), 4 * number
        rows.append(
            f'<rect x="{inset}" y="{top}" width="{WIDTH - 2 * inset}" height="{HEIGHT}" rx="6" fill="#4f6bd8" '
            f'fill-opacity="{0.10 + 0.04 * number:.2f}"/>'
            f'<text x="{WIDTH / 2}" y="{top + HEIGHT / 2 + 5}" text-anchor="middle" font-family="sans-serif" '
            f'font-size="14" fill="#7787c4">{escape(layer)}</text>'
        )
    height = len(rows) * (HEIGHT + GAP)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Layers">'
    return "\n".join([head, *rows, "</svg>", ""])


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.svg").write_text(picture(), encoding="utf-8")
