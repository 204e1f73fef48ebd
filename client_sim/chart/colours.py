"""The colours of pictures, by name, for light and for dark surroundings."""

from __future__ import annotations

INK, MUTED, PAPER, PANEL, EDGE, LANE = (
    f"var(--{name})" for name in ("ink", "muted", "paper", "panel", "edge", "lane")
)
CELL, CELL_EDGE, BAND, BAND_EDGE = (
    f"var(--{name})" for name in ("cell", "cell-edge", "band", "band-edge")
)
RED, RED_FILL, GREEN, AMBER = (f"var(--{name})" for name in ("red", "red-fill", "green", "amber"))

_LIGHT = {
    "ink": "#1f2328",
    "muted": "#656d76",
    "paper": "#ffffff",
    "panel": "#f3f5f8",
    "edge": "#d5dae1",
    "lane": "#c2c9d1",
    "cell": "#fdf3c7",
    "cell-edge": "#c79a1c",
    "band": "#fff4f2",
    "band-edge": "#f5c9c3",
    "red": "#c6262e",
    "red-fill": "#fbdcd9",
    "green": "#1a7f37",
    "amber": "#a65b00",
}
_DARK = {
    "ink": "#e6edf3",
    "muted": "#9198a1",
    "paper": "#0f1318",
    "panel": "#171d25",
    "edge": "#323b46",
    "lane": "#4a545f",
    "cell": "#3a3116",
    "cell-edge": "#b98f1d",
    "band": "#241518",
    "band-edge": "#5c2a2b",
    "red": "#ff7b72",
    "red-fill": "#4a1f20",
    "green": "#56d364",
    "amber": "#e3a04a",
}
_DEVICES = (
    ("#0a63c9", "#6cb2ff"),
    ("#7b3fd3", "#c19bff"),
    ("#0b7d74", "#4fd1c5"),
    ("#a8530a", "#f0a35e"),
    ("#b02a78", "#ff8fc7"),
    ("#4d6b0f", "#a9cf4e"),
)


def of_device(number: int) -> str:
    """The colour of the device with this number; they come round again."""
    return f"var(--device-{number % len(_DEVICES)})"


def style_sheet() -> str:
    """The definitions of all these, as CSS."""
    light = _LIGHT | {f"device-{number}": pair[0] for number, pair in enumerate(_DEVICES)}
    dark = _DARK | {f"device-{number}": pair[1] for number, pair in enumerate(_DEVICES)}
    return (
        f":root{{color-scheme:light dark;{_declared(light)}}}\n"
        f"@media(prefers-color-scheme:dark){{:root{{{_declared(dark)}}}}}\n"
    )


def _declared(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())
