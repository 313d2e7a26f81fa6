"""Colours in light and in dark; those of lines and bars can be told apart by readers who see fewer of them.

After Okabe and Ito (2008), darker or lighter where 3:1 against the page asks for it; dashes and markers differ too.
"""

LIGHT = {
    "page": "#f6f7f9",
    "card": "#ffffff",
    "ink": "#1c2128",
    "quiet": "#57606a",
    "line": "#d0d7de",
    "grid": "#e6e9ed",
    "link": "#0550ae",
    "button": "#eef1f4",
    "warning": "#fff4d6",
    "warning-ink": "#5c4200",
}
DARK = {
    "page": "#0f1318",
    "card": "#171c23",
    "ink": "#e6e9ee",
    "quiet": "#a3adb8",
    "line": "#38414b",
    "grid": "#262d36",
    "link": "#7ab7ff",
    "button": "#242b34",
    "warning": "#3a2f10",
    "warning-ink": "#ffe3a0",
}
SERIES_LIGHT = (
    "#0072b2",
    "#c8500a",
    "#00805b",
    "#a0468c",
    "#8a6d00",
    "#5f6b77",
    "#2b2f8f",
    "#b3263a",
    "#3f7fbf",
    "#8d8d8d",
)
SERIES_DARK = (
    "#56b4e9",
    "#f0a35e",
    "#2fc49a",
    "#e09bc4",
    "#e5d24a",
    "#a9b4bf",
    "#9aa0ff",
    "#ff8a94",
    "#8ec7ff",
    "#8a8a8a",
)


def variables(colours: dict[str, str], series: tuple[str, ...]) -> str:
    """Return the declarations of a palette's CSS variables."""
    numbered = {f"series-{number}": colour for number, colour in enumerate(series)}
    return "".join(f"--{name}:{colour};" for name, colour in (colours | numbered).items())


def style_sheet_head() -> str:
    """Return the rules that choose a palette: by the reader's choice, else as the system has it."""
    light, dark = variables(LIGHT, SERIES_LIGHT), variables(DARK, SERIES_DARK)
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media(prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=light]{{color-scheme:light;{light}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
    )
