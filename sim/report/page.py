"""Pieces of a page: tables, tiles, sections, and the document around them.

Pure. Whatever comes from a run is escaped here; arguments named `html` are not, they
are what this package made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final, Literal

Mood = Literal["", "good", "warn", "bad"]

_STYLE: Final = Path(__file__).with_name("page.css")
NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `number`: to the right; `wide`: may break into lines; `head`: of its row."""

    text: str
    mood: Mood = ""
    number: bool = False
    wide: bool = False
    head: bool = False

    def html(self) -> str:
        classes = [self.mood, "n" if self.number else "", "wide" if self.wide else ""]
        attribute = " ".join(filter(None, classes))
        tag = "th" if self.head else "td"
        told = f' class="{attribute}"' if attribute else ""
        return f"<{tag}{told}>{escape(self.text)}</{tag}>"


def n(value: float | None, form: str = "{:.0f}", mood: Mood = "") -> Cell:
    """A number's cell."""
    return Cell(NOTHING if value is None else form.format(value), mood, number=True)


def head(text: str) -> Cell:
    return Cell(text, head=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that scrolls sideways by itself where it is too wide; '' without rows.

    A column over numbers is written to the right, as they are.
    """
    lines = [list(row) for row in rows]
    if not lines:
        return ""
    over = [
        f'<th class="n">{escape(name)}</th>' if cell.number else f"<th>{escape(name)}</th>"
        for name, cell in zip(columns, lines[0], strict=True)
    ]
    body = "".join(f"<tr>{''.join(cell.html() for cell in row)}</tr>" for row in lines)
    return (
        f'<div class="scroll"><table><thead><tr>{"".join(over)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def tile(figure: str, name: str, mood: Mood = "") -> str:
    kind = f"tile {mood}" if mood else "tile"
    return f'<div class="{kind}"><b>{escape(figure)}</b><span>{escape(name)}</span></div>'


def tiles(html: Iterable[str]) -> str:
    return f'<div class="tiles">{"".join(html)}</div>'


def badge(text: str, mood: Mood) -> str:
    return f'<span class="badge {mood}">{escape(text)}</span>'


def text(words: str) -> str:
    return f"<p>{escape(words)}</p>" if words else ""


def soft(words: str) -> str:
    return f'<p class="soft">{escape(words)}</p>' if words else ""


def items(words: Iterable[str]) -> str:
    inside = "".join(f"<li>{escape(each)}</li>" for each in words)
    return f"<ul>{inside}</ul>" if inside else ""


def folded(summary: str, html: str) -> str:
    """Something that a reader opens when it is wanted; '' without content."""
    if not html:
        return ""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>"


def verbatim(words: str) -> str:
    return f"<pre>{escape(words)}</pre>"


def pair(*html: str) -> str:
    """Beside each other where there is room."""
    inside = "".join(f"<div>{each}</div>" for each in html if each)
    return f'<div class="pair">{inside}</div>' if inside else ""


def section(title: str, *html: str, about: str = "") -> str:
    """A part of the page; '' when nothing is in it."""
    inside = "".join(html)
    if not inside:
        return ""
    told = f" <small>{escape(about)}</small>" if about else ""
    return f"<section><h2>{escape(title)}{told}</h2>{inside}</section>"


def document(title: str, *html: str) -> str:
    """The whole file: it needs nothing else, and fetches nothing."""
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, html))
        + "\n</main>\n</body>\n</html>\n"
    )
