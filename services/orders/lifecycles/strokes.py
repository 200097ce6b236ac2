"""The few marks that pictures of a lifecycle are made of, as SVG elements."""

import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape

INK, GREY, SIDE, MAIN = "#1f2933", "#64748b", "#94a3b8", "#0f766e"


def one_line(words: str) -> str:
    """Without line breaks and what no XML may hold."""
    printable = (sign if unicodedata.category(sign)[0] != "C" else " " for sign in words)
    return " ".join("".join(printable).split())


def width_of(words: str, size: float) -> float:
    """About how wide a text is: Chinese signs are square, others about half as wide."""
    return sum(size if unicodedata.east_asian_width(sign) in "WF" else size * 0.56 for sign in words)


def wrapped(words: str, width: float, size: float) -> list[str]:
    """Broken into lines, at spaces where there are any."""
    lines = [""]
    for part in _parts(words):
        if lines[-1] and width_of((lines[-1] + part).rstrip(), size) > width:
            lines.append("")
        lines[-1] = (lines[-1] + part).lstrip()
    return [line.rstrip() for line in lines]


def _parts(words: str) -> list[str]:
    parts: list[str] = []
    for sign in one_line(words):
        is_inside = bool(parts) and sign.isascii() and parts[-1][-1].isascii() and parts[-1][-1] != " "
        parts = [*parts[:-1], parts[-1] + sign] if is_inside else [*parts, sign]
    return parts


def label(
    x: float, y: float, words: str, size: float, colour: str, *, weight: int = 400, is_centred: bool = False
) -> str:
    anchor = ' text-anchor="middle"' if is_centred else ""
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{colour}"{bold}{anchor}>{escape(words)}</text>'


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    fill: str,
    *,
    radius: float = 6,
    edge: str = "",
    is_dashed: bool = False,
) -> str:
    stroke = f' stroke="{edge}" stroke-width="1.4"' if edge else ""
    dashes = ' stroke-dasharray="4 3"' if is_dashed else ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}" '
        f'fill="{fill}"{stroke}{dashes}/>'
    )


def line(
    start: tuple[float, float], end: tuple[float, float], colour: str, thickness: float, *, dashes: str = ""
) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{_n(start[0])}" y1="{_n(start[1])}" x2="{_n(end[0])}" y2="{_n(end[1])}" '
        f'stroke="{colour}" stroke-width="{_n(thickness)}"{dashed}/>'
    )


def arrow(x: float, y: float, colour: str, *, to_the_right: bool, size: float = 7) -> str:
    """A head whose point is at x."""
    back = x - size * 1.35 if to_the_right else x + size * 1.35
    top, bottom = y - size * 0.75, y + size * 0.75
    return f'<path d="M{_n(x)} {_n(y)}L{_n(back)} {_n(top)}L{_n(back)} {_n(bottom)}Z" fill="{colour}"/>'


def dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="4" fill="{colour}"/>'


def circle(x: float, y: float) -> str:
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="4.5" fill="#ffffff" stroke="{GREY}" stroke-width="1.6"/>'


def loop(x: float, y: float, colour: str) -> str:
    """Up out of a column and back into it."""
    way = f"M{_n(x - 2)} {_n(y - 2)}c-13 -17 17 -17 6.5 -4"
    head = f"M{_n(x + 2)} {_n(y - 2)}l0 -7.5l6 4.5Z"
    return f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="1.6"/><path d="{head}" fill="{colour}"/>'


def tags(x: float, y: float, words: Sequence[str], colour: str) -> list[str]:
    """Small rounded labels in a row, from x on; y is their top."""
    drawn = []
    for one in words:
        width = width_of(one, 10) + 10
        drawn.append(box(x, y, width, 15, "#ffffff", radius=7.5, edge="#cbd5e1"))
        drawn.append(label(x + width / 2, y + 11, one, 10, colour, is_centred=True))
        x += width + 4
    return drawn


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
