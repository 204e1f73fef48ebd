"""A sheet of SVG: the few marks that pictures here are made of. Text in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from xml.sax.saxutils import escape, quoteattr

FONT = "'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
INK = "#1f2328"
MUTED = "#59636e"


class Sheet:
    """Marks on a sheet of a fixed size, later ones over earlier ones."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self._marks = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" font-family={quoteattr(FONT)}>',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(description)}</desc>",
        ]

    @contextmanager
    def group(
        self, said: str = "", attributes: Mapping[str, str] | None = None, *, link: str = ""
    ) -> Iterator[None]:
        """What is drawn inside belongs together: it shows `said` to whoever points at it, has
        these attributes, and leads to `link`."""
        tag = "a" if link else "g"
        given = {**({"href": link} if link else {}), **(attributes or {})}
        shown = "".join(f" {name}={quoteattr(value)}" for name, value in given.items())
        self._marks.append(f"<{tag}{shown}>" + (f"<title>{escape(said)}</title>" if said else ""))
        yield
        self._marks.append(f"</{tag}>")

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        edge: str = "none",
        radius: float = 8,
        thickness: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """A rectangle with round corners."""
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        self._marks.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
            f'fill="{fill}" stroke="{edge}" stroke-width="{thickness:g}"{dashes}/>'
        )

    def words(
        self,
        x: float,
        y: float,
        said: str,
        *,
        size: float = 14,
        colour: str = INK,
        bold: bool = False,
        anchor: str = "middle",
        halo: str = "",
    ) -> None:
        """One line of text; `y` is where it stands. halo: the colour around its letters, so that
        what lies under it does not disturb."""
        weight = ' font-weight="600"' if bold else ""
        if halo:
            weight += f' stroke="{halo}" stroke-width="4" stroke-linejoin="round"'
            weight += ' paint-order="stroke"'
        self._marks.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}" '
            f'text-anchor="{anchor}"{weight}>{escape(said)}</text>'
        )

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        colour: str = MUTED,
        thickness: float = 2,
        dashed: bool = False,
    ) -> None:
        """A straight line."""
        dashes = ' stroke-dasharray="2 7" stroke-linecap="round"' if dashed else ""
        self._marks.append(
            f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" '
            f'stroke="{colour}" stroke-width="{thickness:g}"{dashes}/>'
        )

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        colour: str = INK,
        thickness: float = 2.5,
    ) -> None:
        """A horizontal or vertical line with a head at its end."""
        (x, y), (to_x, to_y) = start, end
        across = (to_x > x) - (to_x < x)
        down = (to_y > y) - (to_y < y)
        neck = (to_x - 9 * across, to_y - 9 * down)
        self.line(start, neck, colour=colour, thickness=thickness)
        self.shape(
            [
                (to_x, to_y),
                (neck[0] - 2 * across + 6 * down, neck[1] - 2 * down + 6 * across),
                (neck[0] - 2 * across - 6 * down, neck[1] - 2 * down - 6 * across),
            ],
            fill=colour,
        )

    def shape(self, corners: list[tuple[float, float]], *, fill: str, edge: str = "none") -> None:
        """A filled polygon."""
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        self._marks.append(
            f'<polygon points="{points}" fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
        )

    def dot(self, x: float, y: float, radius: float, *, fill: str, edge: str = "#ffffff") -> None:
        """A disc."""
        self._marks.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{edge}" '
            f'stroke-width="2"/>'
        )

    def curve(self, path: str, *, colour: str, thickness: float = 2, dashed: bool = False) -> None:
        """A free path in SVG's own words, unfilled."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._marks.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{thickness:g}"{dashes}/>'
        )

    def svg(self) -> str:
        """The whole document."""
        return "\n".join([*self._marks, "</svg>", ""])
