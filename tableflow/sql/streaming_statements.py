"""Statements about streams and the jobs that keep them, as data."""

from __future__ import annotations

import enum
from dataclasses import field

from tableflow.catalog.provider import ColumnDefinition, TableProvider
from tableflow.planner.logical.nodes import Query
from tableflow.records import dataclass
from tableflow.sql.statement_base import Base
from tableflow.storage.description import TableDescription


@dataclass(frozen=True, slots=True)
class CreateStreamingTable(Base):
    """CREATE STREAMING TABLE (or MATERIALIZED VIEW) s [(columns, PRIMARY KEY (k))] [WITH (...)] AS query.

    ``description`` is that of CREATE TABLE ... AS: the query's columns in order, the declared key as its primary key.  ``text`` is
    the query alone, which is bound again when its database is opened.
    """

    name: tuple[str, ...]
    description: TableDescription
    query: Query
    text: str
    or_replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class Flush(Base):
    """FLUSH: waits until all that was given to the inputs before has had its effect on all streaming tables."""


@dataclass(frozen=True, slots=True)
class ShowJobs(Base):
    """SHOW JOBS."""


@dataclass(frozen=True, slots=True)
class ShowWatermarks(Base):
    """SHOW WATERMARKS."""


class JobAction(enum.Enum):
    """What is to become of a job: STOP ends it at an epoch, CANCEL at once."""

    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class EndJob(Base):
    """STOP JOB id, CANCEL JOB id."""

    job: int
    action: JobAction


class JobView(enum.Enum):
    """What EXPLAIN shows of a running job."""

    PLAN = "plan"
    ANALYZE = "analyze"
    WATERMARK = "watermark"


@dataclass(frozen=True, slots=True)
class ExplainJob(Base):
    """EXPLAIN [ANALYZE | WATERMARK] JOB id."""

    job: int
    view: JobView


@dataclass(frozen=True, slots=True)
class InsertIntoSink(Base):
    """INSERT INTO a connector's table: a job if the query has no end.

    ``values`` are positions of the query's columns, one for each of the target's ``columns``.
    """

    target: tuple[str, ...]
    table: TableProvider = field(compare=False)
    query: Query
    columns: tuple[ColumnDefinition, ...]
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StatementSet(Base):
    """EXECUTE STATEMENT SET BEGIN INSERT ...; INSERT ...; END: one job, whose scans of streams are shared.

    ``query`` has the rows of all: the number of the statement, then the columns of all statements in order, NULL in those of others.
    """

    inserts: tuple[InsertIntoSink, ...]
    query: Query
