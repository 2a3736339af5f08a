"""What the tasks of a job count while they run; :mod:`tableflow.runtime.counts` makes a picture of it.

Each block has one writer (the task it belongs to) and is read by anybody without a lock: numbers may be a moment
apart from each other, never wrong by themselves, and exact once the job has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tableflow.runtime.events import START_OF_TIME
from tableflow.runtime.memory import PoolReservation
from tableflow.runtime.split_time import SplitTime


class OperatorBlock:
    """One operator in one task; ``longest`` is processor time, see :mod:`tableflow.runtime.looks`.

    ``largest`` is the most rows of any batch that a source gave, ``watermark`` the time that it has reached.

    ``first`` is when a source was asked for what became its first rows, ``last`` when an operator was given its last ones.
    A source that is ``idle`` does not move time, nor does one that has ``ended``; ``splits`` are those that it reads.
    ``cut`` are the rows that a source gave before its last epoch, or its end.
    ``held`` is memory that the operator has reserved.
    """

    __slots__ = (
        "batches_in",
        "batches_out",
        "busy",
        "cut",
        "ended",
        "first",
        "held",
        "idle",
        "largest",
        "last",
        "longest",
        "name",
        "named",
        "rows_in",
        "rows_out",
        "split_time",
        "splits",
        "waits",
        "watermark",
    )

    def __init__(self, name: str, ports: int = 1) -> None:
        self.name = name
        self.rows_in = [0] * ports
        self.batches_in = [0] * ports
        self.rows_out = 0
        self.batches_out = 0
        self.busy = 0
        self.cut = 0
        self.first = 0
        self.held: Sequence[PoolReservation] = ()
        self.largest = 0
        self.last = 0
        self.longest = 0
        self.named: Counter[str] = Counter()
        self.watermark = START_OF_TIME
        self.splits = 0
        self.split_time: SplitTime | None = None
        """The time of a source's splits."""
        self.waits: tuple[str, int] | None = None
        """What it stands still for, and since when (nanoseconds of the performance counter)."""
        self.idle = False
        self.ended = False


class EdgeBlock:
    """One outgoing exchange of one task."""

    __slots__ = ("batches", "bytes", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self.batches = 0
        self.bytes = 0


class TaskBlock:
    """One task: times in nanoseconds, watermark of each input, and its operators and exchanges."""

    __slots__ = (
        "backpressured", "busy", "bytes_in", "closing", "edges", "longest", "operators", "silent", "source", "steps", "told_by",
        "waiting", "watermarks",
    )  # fmt: skip

    def __init__(self, operators: list[OperatorBlock], edges: list[EdgeBlock]) -> None:
        self.operators = operators
        self.edges = edges
        self.source: OperatorBlock | None = None
        self.busy = 0
        self.waiting = 0
        self.backpressured = 0
        self.steps = 0
        self.longest = 0
        self.closing = 0
        self.bytes_in = 0
        self.watermarks: list[int] = []
        self.silent: list[bool] = []
        """Of each input whether it says that nothing comes."""
        self.told_by: list[int] = []
        """The stage that each input comes from."""
