"""Plots as HTML with inline SVG, readable on a phone and in the dark.

Pure. The drawing is an SVG that is stretched to whatever room there is, with strokes
that keep their width; all writing is HTML beside and over it, so that it keeps its
size. Dots are strokes without length, many in one path, so that ten thousand cost a
few kilobytes. Colours are classes, c0 to c7 and good, warn, bad; the page says what
they are by day and by night.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from sim.report.scale import Scale

#: Inner size of the drawing; a pixel of a large screen is about 1.
_WIDE: Final = 1000
_HIGH: Final = 400

#: Beyond so many labels below a plot, a phone shows every second.
_MANY_TICKS: Final = 5

Point = tuple[float, float]
PALETTE: Final = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7")


class Plot:
    """One plot. Draw on it in order, later things over earlier ones; then `html`."""

    def __init__(
        self, title: str, x: Scale, y: Scale, *, about: str = "", height_rem: float = 14.0
    ) -> None:
        self._title = title
        self._about = about
        self._x = x
        self._y = y
        self._height_rem = height_rem
        self._shapes: list[str] = []
        self._words: list[str] = []
        self._legend: list[str] = []

    # --- what can be drawn ---

    def band(self, low: float, high: float, label: str, odd: bool = False) -> None:
        """A span of x, shaded, with its name at the top."""
        left, right = self._x.place(low), self._x.place(high)
        if right <= left:
            return
        shade = "band odd" if odd else "band"
        width = (right - left) * _WIDE
        self._shapes.append(
            f'<rect class="{shade}" x="{left * _WIDE:.1f}" y="0" width="{width:.1f}" height="{_HIGH}"/>'
        )
        self._words.append(
            f'<span class="bandname" style="left:{_percent(left)};width:{_percent(right - left)}">'
            f"{escape(label)}</span>"
        )

    def line(self, points: Iterable[Point | None], colour: str, label: str = "") -> None:
        """A line through the points; None breaks it."""
        path = self._path(points)
        if path:
            self._shapes.append(f'<path class="line {colour}" d="{path}"/>')
            self._explain("line", colour, label)

    def stairs(self, points: Sequence[Point], colour: str, label: str = "") -> None:
        """A line that keeps each value until the next point."""
        steps: list[Point] = []
        for point in points:
            if steps:
                steps.append((point[0], steps[-1][1]))
            steps.append(point)
        self.line(steps, colour, label)

    def area(
        self, lower: Sequence[Point], upper: Sequence[Point], colour: str, label: str = ""
    ) -> None:
        """What lies between two lines."""
        if not upper:
            return
        outline = self._path([*upper, *reversed(lower)])
        self._shapes.append(f'<path class="area {colour}" d="{outline}Z"/>')
        self._explain("area", colour, label)

    def dots(
        self, points: Iterable[Point], colour: str, label: str = "", big: bool = False
    ) -> None:
        path = "".join(f"M{self._at(point)}h0" for point in points)
        if path:
            self._shapes.append(
                f'<path class="{"dot big" if big else "dot"} {colour}" d="{path}"/>'
            )
            self._explain("dot", colour, label)

    def bars(
        self, spans: Iterable[tuple[float, float, float]], colour: str, label: str = ""
    ) -> None:
        """Horizontal strokes (from x, to x, y), visible however short."""
        path = "".join(
            f"M{self._at((low, y))}H{self._x.place(high) * _WIDE:.1f}" for low, high, y in spans
        )
        if path:
            self._shapes.append(f'<path class="bar {colour}" d="{path}"/>')
            self._explain("area", colour, label)

    def columns(
        self, columns: Iterable[tuple[float, float, float]], colour: str, label: str = ""
    ) -> None:
        """Boxes that stand on the axis (from x, to x, height)."""
        boxes = []
        for low, high, height in columns:
            left, right = self._x.place(low) * _WIDE, self._x.place(high) * _WIDE
            top = (1 - self._y.place(height)) * _HIGH
            boxes.append(f"M{left:.1f} {_HIGH}V{top:.1f}H{right:.1f}V{_HIGH}Z")
        if boxes:
            self._shapes.append(f'<path class="area {colour}" d="{"".join(boxes)}"/>')
            self._explain("area", colour, label)

    def marks(self, at: Iterable[float], colour: str, label: str = "") -> None:
        """Upright lines over the whole height."""
        path = "".join(f"M{self._x.place(each) * _WIDE:.1f} 0V{_HIGH}" for each in at)
        if path:
            self._shapes.append(f'<path class="mark {colour}" d="{path}"/>')
            self._explain("mark", colour, label)

    def level(self, y: float, colour: str, label: str = "") -> None:
        """A level line, as for a limit; outside of the axis it is left out."""
        if self._y.low <= y <= self._y.high:
            at = (1 - self._y.place(y)) * _HIGH
            self._shapes.append(f'<path class="level {colour}" d="M0 {at:.1f}H{_WIDE}"/>')
            self._explain("level", colour, label)

    # --- the result ---

    def html(self) -> str:
        about = f" <small>{escape(self._about)}</small>" if self._about else ""
        grid = "".join(
            f'<path class="grid" d="M0 {(1 - self._y.place(value)) * _HIGH:.1f}H{_WIDE}"/>'
            for value, _label in self._y.ticks
        )
        legend = f'<p class="legend">{"".join(self._legend)}</p>' if self._legend else ""
        gutter = max((len(label) for _value, label in self._y.ticks), default=1)
        return (
            f'<figure class="plot"><figcaption>{escape(self._title)}{about}</figcaption>'
            f'<div class="frame" style="height:{self._height_rem:g}rem;--gutter:{gutter}ch">'
            f'<div class="field"><svg viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none" '
            f'role="img" aria-label="{escape(self._title, quote=True)}">'
            f"{grid}{''.join(self._shapes)}</svg>{''.join(self._words)}</div>"
            f"{self._axis_words()}</div>{legend}</figure>"
        )

    def _axis_words(self) -> str:
        rows = "".join(
            f'<span style="top:{_percent(1 - self._y.place(value))}">{escape(label)}</span>'
            for value, label in self._y.ticks
        )
        columns = "".join(
            f'<span style="left:{_percent(self._x.place(value))}">{escape(label)}</span>'
            for value, label in self._x.ticks
        )
        many = "xs many" if len(self._x.ticks) > _MANY_TICKS else "xs"
        return f'<div class="ys">{rows}</div><div class="{many}">{columns}</div>'

    def _explain(self, kind: str, colour: str, label: str) -> None:
        if label:
            self._legend.append(f'<span><i class="{kind} {colour}"></i>{escape(label)}</span>')

    def _at(self, point: Point) -> str:
        x, y = self._x.place(point[0]) * _WIDE, (1 - self._y.place(point[1])) * _HIGH
        return f"{x:.1f} {y:.1f}"

    def _path(self, points: Iterable[Point | None]) -> str:
        words: list[str] = []
        pen = "M"
        for point in points:
            if point is None:
                pen = "M"
                continue
            words.append(pen + self._at(point))
            pen = "L"
        return "".join(words)


def rows(names: Sequence[str]) -> Scale:
    """A y axis of names, the first at the top."""
    count = len(names)
    ticks = tuple((count - 0.5 - index, name) for index, name in enumerate(names))
    return Scale(0.0, float(max(1, count)), ticks)


def row_of(count: int, index: int) -> float:
    """Where the name of this index lies on `rows` of so many."""
    return count - 0.5 - index


def _percent(share: float) -> str:
    return f"{share * 100:.2f}%"
