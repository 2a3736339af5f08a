"""Where the time went, as a chart in the terminal: one bar per operator, busy time of all its tasks together."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.records import dataclass

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR = 32


@dataclass(frozen=True, slots=True)
class Timed:
    """An operator of a finished job: its label, busy microseconds, rows given."""

    label: str
    busy: float
    rows: int


def chart(operators: Sequence[Timed], most: int = 12) -> str:
    """The busiest operators with bars; the others are summed up in a last line."""
    ranked = sorted(operators, key=lambda o: -o.busy)
    shown, rest = ranked[:most], ranked[most:]
    if rest:
        shown = [*shown, Timed(f"{len(rest)} others", sum(o.busy for o in rest), 0)]
    longest = max((o.busy for o in shown), default=0.0) or 1.0
    width = min(60, max((len(o.label) for o in shown), default=0))
    return "\n".join(
        f"{o.label[:width].ljust(width)} {bar(o.busy / longest)} {o.busy / 1e3:9.1f} ms {o.rows:>12,} rows"
        for o in shown
    )


def bar(part: float) -> str:
    """A bar of ``part`` (0 to 1) of the full width, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, part)) * _BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)
