"""What EXPLAIN says of operators that know of event time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from tableflow.expressions import window_assigner as w
from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate, OnWindowClose
from tableflow.expressions.text import duration_text, to_sql
from tableflow.physical.assign_watermarks import AssignWatermarks
from tableflow.physical.assign_windows import AssignWindows
from tableflow.physical.windowed_aggregate import WindowedAggregate

WindowsNode: TypeAlias = AssignWatermarks | AssignWindows | WindowedAggregate


def describe_windows(node: WindowsNode, names: Mapping[int, str]) -> str:
    """The operator and what it does, without its inputs; ``names`` are those of columns by id."""
    match node:
        case AssignWatermarks():
            return f"AssignWatermarks {names.get(node.column)} as {to_sql(node.expression)}"
        case AssignWindows():
            return f"AssignWindows {assigner_text(node.assigner)} of {names.get(node.time)}"
        case WindowedAggregate():
            of = "" if node.time is None else f" of {names.get(node.time)}"
            by = ", ".join(f.name for f in node.keys)
            calls = ", ".join(map(to_sql, node.calls))
            emit = emit_text(node.emit)
            return (
                f"WindowedAggregate {assigner_text(node.assigner)}{of} by [{by}] {calls}{emit and ' ' + emit}".rstrip()
            )


def assigner_text(of: w.WindowAssigner) -> str:
    """The assigner as EXPLAIN shows it."""
    match of:
        case w.Tumble(size=size):
            return f"TUMBLE {duration_text(size)}{_origin(of)}"
        case w.Hop(slide=slide, size=size):
            return f"HOP {duration_text(slide)}, {duration_text(size)}{_origin(of)}"
        case w.Cumulate(step=step, size=size):
            return f"CUMULATE {duration_text(step)}, {duration_text(size)}{_origin(of)}"
        case w.Session(gap=gap):
            return f"SESSION {duration_text(gap)}"
        case w.CountTumble(rows=rows):
            return f"TUMBLE {rows} rows"
        case w.CountHop(slide=slide, rows=rows):
            return f"HOP {slide} rows, {rows} rows"
        case w.Global():
            return "GLOBAL"
        case w.Punctuated(condition=condition):
            return f"PUNCTUATED {to_sql(condition)}"
        case w.Landmark(condition=condition):
            return f"LANDMARK {to_sql(condition)}"
        case w.Delta(value=value, threshold=threshold):
            return f"DELTA {to_sql(value)}, {to_sql(threshold)}"


def emit_text(of: Emit) -> str:
    """What is not the default, in the words of the dialect."""
    parts = [_trigger(trigger) for trigger in of.triggers]
    if of.keep_last_rows is not None:
        parts.append(f"keep last {of.keep_last_rows} rows")
    if of.keep_last is not None:
        parts.append(f"keep last {duration_text(of.keep_last)}")
    if of.lateness is not None:
        parts.append(f"lateness {duration_text(of.lateness)}")
    if of.late_into is not None:
        parts.append(f"late into {of.late_into}")
    return ", ".join(parts)


def _trigger(of: OnWindowClose | OnUpdate | EveryInterval | EveryRows) -> str:
    match of:
        case OnWindowClose():
            return "on window close"
        case OnUpdate():
            return "on update"
        case EveryInterval(micros=micros, event_time=event_time):
            return f"every {duration_text(micros)}{' of event time' if event_time else ''}"
        case EveryRows(rows=rows):
            return f"every {rows} rows"


def _origin(of: w.TimeAssigner) -> str:
    return (f" offset {duration_text(of.offset)}" if of.offset else "") + (f" in {of.zone}" if of.zone else "")
