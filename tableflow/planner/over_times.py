"""Whether functions with OVER can wait for event time: then each row comes out once, with final values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.structure import output
from tableflow.types import TimestampType

if TYPE_CHECKING:
    from tableflow.planner.stream_facts import StreamFacts
    from tableflow.planner.window_closings import Closings


def tells_first_rows(node: logical.Window) -> bool:
    """Whether a bound on row numbers asks for nothing but the first rows of each partition."""
    return len(node.calls) < 2 and all(call.function == "row_number" for call in node.calls)


def waited_for(node: logical.Window, below: StreamFacts, known: Closings) -> tuple[int, int] | None:
    """The column of time by which a window over rows that stay (of which this is ``known``) is ordered, if all its calls end with time.

    Beside it by how many microseconds the watermark is behind a row's time when no row with that comes any more: event time, or what tells when windows close.
    """
    partition = {f.id for f in node.partition}
    order = [key for key in node.order if key.column.id not in partition]
    if not below.appends or not order or (node.limit is not None and tells_first_rows(node)):
        return None
    first = order[0]
    time = next(f for f in output(node.input) if f.id == first.column.id)
    behind = known[time.id].behind if time.id in known else 0 if time.id in below.event_time else None
    if behind is None or not isinstance(time.type, TimestampType):
        return None
    if first.descending or (first.nulls_first and time.nullable):
        return None
    from tableflow.physical.over_frames import reach

    return (time.id, behind) if all(reach(call) is not None for call in node.calls) else None


def last_sort(root: logical.Node) -> logical.Sort | None:
    """The sort in whose order a plan's rows are given, if there is one."""
    while isinstance(root, logical.Project | logical.Hinted):
        root = root.input
    return root if isinstance(root, logical.Sort) else None


def sorted_in_time(node: logical.Sort, below: StreamFacts, known: Closings) -> tuple[int, int] | None:
    """:func:`waited_for` of rows that are given in this order: they can be, as time passes them."""
    return waited_for(logical.Window(node.input, (), node.keys, (), ()), below, known)
