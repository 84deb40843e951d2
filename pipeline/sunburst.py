"""A composition as a picture: rings from the inside out, and bars beside them, in plain SVG.

The colours are those of Paul Tol's scheme "muted", which readers with any kind of colour vision
tell apart, in an order where neighbours differ in lightness as well.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from pipeline.composition import Composition, said

COLORS = ("#332288", "#88CCEE", "#882255", "#44AA99", "#DDCC77", "#CC6677", "#999933", "#AA4499",
          "#117733")  # fmt: skip
REST = ("#777777", "#BBBBBB")  # beyond nine, in turn
_LIGHTER = (0.0, 0.3, 0.5, 0.65, 0.75)  # how much white each ring has
_HOLE_PX, _RIM_PX = 60.0, 440.0
_FONT_PX, _LETTER = 13.0, 0.57  # of the font's size, what a letter is wide on average
_WIDTH_PX, _HEIGHT_PX = 1500, 940
_ROWS = 14  # bars of a facet


@dataclass(frozen=True, kw_only=True, slots=True)
class Arc:
    """A part of a ring.

    Attributes:
        words: Of the facets from the inside to this ring.
        count: What it stands for.
        start: Where it begins, clockwise from the top, 1 for a whole turn.
        end: Where it ends.
        fill: Its colour, #RRGGBB.
    """

    words: tuple[str, ...]
    count: float
    start: float
    end: float
    fill: str

    @property
    def ring(self) -> int:
        """0 is the innermost."""
        return len(self.words) - 1


def arcs(composition: Composition) -> list[Arc]:
    """All parts of all rings: each as wide as its count, the largest first within its parent."""
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for words, count in composition.counts.items():
        for depth in range(1, composition.rings + 1):
            sums[words[:depth]] += count
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for words, count in sorted(sums.items(), key=lambda item: (-item[1], item[0])):
        if count > 0:
            children[words[:-1]].append(words)
    total = composition.total
    return list(_placed((), 0.0, sums, children, total)) if total else []


def _placed(
    parent: tuple[str, ...],
    start: float,
    sums: dict[tuple[str, ...], float],
    children: dict[tuple[str, ...], list[tuple[str, ...]]],
    total: float,
) -> Iterator[Arc]:
    for place, words in enumerate(children[parent]):
        end = start + sums[words] / total
        index = place if not parent else [w[0] for w in children[()]].index(words[0])
        fill = _mixed(color_of(index), _LIGHTER[min(len(words) - 1, len(_LIGHTER) - 1)])
        yield Arc(words=words, count=sums[words], start=start, end=end, fill=fill)
        yield from _placed(words, start, sums, children, total)
        start = end


def color_of(index: int) -> str:
    """The colour of the word with this place in the innermost ring."""
    return COLORS[index] if index < len(COLORS) else REST[(index - len(COLORS)) % len(REST)]


def _mixed(color: str, white: float) -> str:
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * white):02X}" for part in parts)


def ink_on(fill: str) -> str:
    """Black or white, whichever stands out more on a colour."""
    return "#000000" if contrast(fill, "#000000") >= contrast(fill, "#FFFFFF") else "#FFFFFF"


def contrast(first: str, second: str) -> float:
    """The contrast of two colours as the accessibility guidelines (WCAG) define it, 1 to 21."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def sunburst_svg(composition: Composition, *, name: str = "overview") -> str:
    """The picture as one SVG element, which stands alone as a file or within a page.

    Args:
        composition: What is drawn.
        name: Starts the ids within, so that a page can hold several pictures.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="{_FONT_PX:.0f}">',
        f'<title id="{name}-title">{escape(composition.title)}</title>',
        f'<desc id="{name}-desc">{escape(in_words(composition))}</desc>',
        f'<rect width="{_WIDTH_PX}" height="{_HEIGHT_PX}" fill="#FFFFFF"/>',
        *_rings(composition),
        *_bars(composition),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def in_words(composition: Composition) -> str:
    """What the picture shows, in a few sentences for who cannot see it."""
    total = composition.total
    sentences = [f"{said(total)} {composition.unit}."]
    for facet in composition.facets[: composition.rings]:
        top = composition.by(facet)[:5]
        listed = ", ".join(f"{word} {said(count)}" for word, count in top)
        sentences.append(f"By {facet}, the largest: {listed}.")
    return " ".join([*sentences, composition.note]).strip()


def _rings(composition: Composition) -> Iterator[str]:
    drawn = arcs(composition)
    width = (_RIM_PX - _HOLE_PX) / composition.rings
    yield f'<g transform="translate({_RIM_PX + 20:.0f} {_HEIGHT_PX / 2 + 10:.0f})">'
    for arc in drawn:
        inner = _HOLE_PX + arc.ring * width
        share = 100 * arc.count / composition.total
        told = f"{', '.join(arc.words)}: {said(arc.count)} {composition.unit}, {share:.1f} percent"
        words = escape(json.dumps(arc.words, ensure_ascii=False, separators=(",", ":")))
        yield (
            f'<path d="{_ring_part(arc, inner, inner + width)}" fill="{arc.fill}" '
            f'stroke="#FFFFFF" data-words="{words}"><title>{escape(told)}</title></path>'
        )
    for arc in drawn:
        yield from _label(arc, _HOLE_PX + arc.ring * width, width)
    yield (f'<text text-anchor="middle" font-size="26" y="2">{said(composition.total)}</text>'
           f'<text text-anchor="middle" y="26">{escape(composition.unit)}</text>')  # fmt: skip
    rings = ", ".join(composition.facets[: composition.rings])
    yield (f'<text text-anchor="middle" y="{-_RIM_PX - 8:.0f}" fill="#333333">'
           f"from the inside: {escape(rings)}</text></g>")  # fmt: skip


def _ring_part(arc: Arc, inner: float, outer: float) -> str:
    end = min(arc.end, arc.start + 0.9999)  # a whole turn would end where it begins
    is_wide = int(end - arc.start > 0.5)
    (x0, y0), (x1, y1) = _point(arc.start, outer), _point(end, outer)
    (x2, y2), (x3, y3) = _point(end, inner), _point(arc.start, inner)
    return (
        f"M{x0:.1f} {y0:.1f}A{outer:.1f} {outer:.1f} 0 {is_wide} 1 {x1:.1f} {y1:.1f}"
        f"L{x2:.1f} {y2:.1f}A{inner:.1f} {inner:.1f} 0 {is_wide} 0 {x3:.1f} {y3:.1f}Z"
    )


def _point(turn: float, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * turn
    return radius * math.sin(angle), -radius * math.cos(angle)


def _label(arc: Arc, inner: float, width: float) -> Iterator[str]:
    """The word along the radius, where it fits; nothing where the part is too narrow."""
    middle, radius = (arc.start + arc.end) / 2, inner + width / 2
    if 2 * math.pi * (inner + 0.3 * width) * (arc.end - arc.start) < _FONT_PX * 1.05:
        return
    word = fitted(arc.words[-1], width - 4)
    x, y = _point(middle, radius)
    turned = 360 * middle - 90 if middle <= 0.5 else 360 * middle - 270
    yield (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" dy=".35em" '
        f'pointer-events="none" transform="rotate({turned:.1f} {x:.1f} {y:.1f})" '
        f'fill="{ink_on(arc.fill)}">{escape(word)}</text>'
    )


def fitted(word: str, width_px: float) -> str:
    """A word, cut where it would be wider than there is room."""
    letters = int(width_px / (_FONT_PX * _LETTER))
    return word if len(word) <= letters else word[: letters - 1].rstrip(" (,/") + "…"


def _bars(composition: Composition) -> Iterator[str]:
    """A block of bars for each ring, in two columns."""
    for place, facet in enumerate(composition.facets[: min(composition.rings, 4)]):
        x, y = 960 + 280 * (place // 2), 40 + (place % 2) * 450
        yield f'<g transform="translate({x} {y})">'
        yield f'<text font-size="17" font-weight="bold">{escape(facet)}</text>'
        yield from _block(composition.by(facet), composition.total)
        yield "</g>"


def _block(rows: Sequence[tuple[str, float]], total: float) -> Iterator[str]:
    shown = [row for row in rows if row[1] > 0]
    shown, left = shown[:_ROWS], shown[_ROWS:]
    most = max((count for _, count in shown), default=1.0)
    for place, (word, count) in enumerate(shown):
        y = 26 + place * 28
        yield f'<text y="{y}" fill="#222222">{escape(fitted(word, 190))}</text>'
        yield (f'<text x="250" y="{y}" text-anchor="end" fill="#222222">{said(count)}</text>')
        told = f"{escape(word)}: {100 * count / total:.1f} percent"
        yield (f'<rect y="{y + 4}" width="{250 * count / most:.1f}" height="5" fill="#44699C">'
               f"<title>{told}</title></rect>")  # fmt: skip
    if left:
        y = 26 + len(shown) * 28
        rest = said(sum(count for _, count in left))
        yield (f'<text y="{y}" fill="#222222">{len(left)} more</text><text x="250" y="{y}" '
               f'text-anchor="end" fill="#222222">{rest}</text>')  # fmt: skip
