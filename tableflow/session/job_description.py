"""What is known of a job that runs behind a session, whether it has a thread or not."""

from __future__ import annotations

import enum

from tableflow.catalog.snapshot import shown_path
from tableflow.connectors.sink_control import SinkControl
from tableflow.records import dataclass
from tableflow.session.reading import JobReading


class JobState(enum.Enum):
    """Where a job stands; LOST: it could not be started again with its database."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobDescription:
    """What a job is for: what it writes to, the statement, the managed table that it keeps (None: another sink)."""

    target: tuple[tuple[str, str], ...]
    """Schema and name of each table that it writes to, but for late rows, as they were written."""
    text: str
    table: int | None = None
    replaces: bool = False
    """Whether it began again and replaces what it wrote before."""
    replayable: bool = True
    """Whether its inputs can be read again from the start, so that it begins again with its database."""
    reading: JobReading | None = None
    """How far it has read, if that is to be known when it begins again."""
    control: SinkControl | None = None
    """What tells its sinks that it will end."""
    reads: frozenset[int] = frozenset()
    """The managed tables whose changes it takes."""
    late_rows: frozenset[int] = frozenset()
    """The managed tables that its late rows go to."""
    inserts: frozenset[int] = frozenset()
    """The managed tables that an INSERT writes to."""
    sources: frozenset[tuple[str, str]] = frozenset()
    """Schema and name of all tables of the catalog that it reads."""
    targets: frozenset[tuple[str, str]] = frozenset()
    """Schema and name of the tables that an INSERT writes to."""
    script: str = ""
    """The text that places in its errors are of, if that is not ``text``."""

    def called(self, schema: str) -> str:
        """What it writes to, as people call it where a schema is the current one."""
        return ", ".join(shown_path(path, schema) for path in self.target)

    @property
    def writes(self) -> frozenset[int]:
        """All managed tables that change while it runs."""
        written = self.late_rows | self.inserts
        return written if self.table is None else written | {self.table}
