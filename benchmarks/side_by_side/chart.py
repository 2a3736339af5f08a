"""Grouped bar charts as SVG, without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_COLOURS = ("#2f6f8f", "#e0a030", "#b0503c", "#6a8f4e")


def bar_chart(labels: Sequence[str], series: Mapping[str, Sequence[float]], title: str) -> str:
    """An SVG document: one group per label, one bar per series, values in the tooltip."""
    bar, gap, height, left, top = 9, 10, 260, 60, 50
    group = bar * len(series) + gap
    width = left + group * len(labels) + 20
    highest = max((max(values) for values in series.values()), default=1.0) or 1.0
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + top + 40}" '
            'font-family="sans-serif" font-size="11">'
        ),
        f'<text x="{left}" y="18" font-size="14">{escape(title)}</text>',
    ]
    for step in range(5):
        value = highest * step / 4
        y = top + height - height * step / 4
        parts.append(f'<line x1="{left}" x2="{width - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<rect x="{left + number * 110}" y="26" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{left + 14 + number * 110}" y="35">{escape(name)}</text>')
        for place, value in enumerate(values):
            tall = height * value / highest
            bar_x = left + place * group + number * bar
            parts.append(
                f'<rect x="{bar_x}" y="{top + height - tall:.1f}" width="{bar - 1}" height="{tall:.1f}" fill="{colour}">'
                f"<title>{escape(labels[place])} {escape(name)}: {value:.1f}</title></rect>"
            )
    for place, label in enumerate(labels):
        x = left + place * group + bar * len(series) / 2
        parts.append(f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{escape(label)}</text>')
    return "\n".join([*parts, "</svg>", ""])
