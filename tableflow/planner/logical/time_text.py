"""Lines of EXPLAIN for nodes that know of time, and EMIT in its own words."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate, OnWindowClose, Trigger
from tableflow.expressions.nodes import Expression, SortKey
from tableflow.expressions.text import duration_text
from tableflow.expressions.window_assigner import (
    CountHop,
    CountTumble,
    Cumulate,
    Delta,
    Global,
    Hop,
    Landmark,
    Punctuated,
    Session,
    Tumble,
    WindowAssigner,
)
from tableflow.types import Field

Shown = Callable[[Expression], str]


def assigner_text(of: WindowAssigner, shown: Shown) -> str:
    """The assigner as SQL would name it; ``shown`` renders its expressions."""
    match of:
        case Tumble(size=size):
            return f"tumble {duration_text(size)}" + _aligned(of)
        case Hop(slide=slide, size=size):
            return f"hop {duration_text(slide)}, {duration_text(size)}" + _aligned(of)
        case Cumulate(step=step, size=size):
            return f"cumulate {duration_text(step)}, {duration_text(size)}" + _aligned(of)
        case Session(gap=gap):
            return f"session {duration_text(gap)}"
        case CountTumble(rows=rows):
            return f"tumble {rows} rows"
        case CountHop(slide=slide, rows=rows):
            return f"hop {slide} rows, {rows} rows"
        case Global():
            return "global"
        case Punctuated(condition=condition):
            return f"punctuated {shown(condition)}"
        case Landmark(condition=condition):
            return f"landmark {shown(condition)}"
        case Delta(value=value, threshold=threshold):
            return f"delta {shown(value)}, {shown(threshold)}"


def _aligned(of: Tumble | Hop | Cumulate) -> str:
    offset = f" offset {duration_text(of.offset)}" if of.offset else ""
    return offset + (f" in {of.zone}" if of.zone else "")


def windows_text(
    assigner: WindowAssigner,
    time: Field | None,
    partition: tuple[Field, ...],
    order: tuple[SortKey, ...],
    names: dict[int, str],
    shown: Shown,
) -> str:
    """Assigner, time column, partition and order of rows."""
    parts = [assigner_text(assigner, shown)]
    if time is not None:
        parts.append(f"of {names.get(time.id, time.name)}")
    if partition:
        parts.append(f"by {', '.join(names.get(f.id, f.name) for f in partition)}")
    if order:
        keys = [names.get(k.column.id, k.column.name) + (" DESC" if k.descending else "") for k in order]
        parts.append(f"order {', '.join(keys)}")
    return " ".join(parts)


def emit_text(of: Emit) -> str:
    """The clause, as it may be written."""
    parts = ["EMIT", ", ".join(_trigger(trigger) for trigger in of.triggers)] if of.triggers else ["EMIT"]
    if of.keep_last_rows is not None:
        parts.append(f"KEEP LAST {of.keep_last_rows} ROWS")
    if of.keep_last is not None:
        parts.append(f"KEEP LAST {duration_text(of.keep_last)}")
    if of.lateness is not None:
        parts.append(f"WITH LATENESS {duration_text(of.lateness)}")
    if of.late_into is not None:
        parts.append(f"LATE INTO {of.late_into}")
    return " ".join(parts)


def _trigger(of: Trigger) -> str:
    match of:
        case OnWindowClose():
            return "ON WINDOW CLOSE"
        case OnUpdate():
            return "ON UPDATE"
        case EveryInterval(micros=micros, event_time=event_time):
            return f"EVERY {duration_text(micros)}" + (" OF EVENT TIME" if event_time else "")
        case EveryRows(rows=rows):
            return f"EVERY {rows} ROWS"
