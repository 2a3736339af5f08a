"""Which jobs a connection's next statement waits for: those that carry what it has changed to the tables that the statement reads.

A job is *due* if it follows, over any number of tables, from a table that the connection has changed, or if the connection began
it, and it has not been flushed since.  Invariant: a statement that reads tables waits for every due job from which one of them
follows, and for no other; so it sees all that its connection has changed before, however slow jobs beside it are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING

from tableflow.connectors.managed.changes import ChangesProvider
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.planner.logical.nodes import Query, Scan
from tableflow.planner.logical.traversal import walk_plan
from tableflow.sql import statements as sql

if TYPE_CHECKING:
    from tableflow.session.background_job import BackgroundJob
    from tableflow.session.job_keeper import JobKeeper

_READ_NOTHING = (
    sql.CreateTable, sql.CreateView, sql.CreateSchema, sql.CreateStreamingTable, sql.Describe, sql.Drop, sql.DropSchema,
    sql.Flush, sql.ResetStatement, sql.SetStatement, sql.Show, sql.Use,
)  # fmt: skip
"""Statements whose effect and answer are the same whatever rows are in tables; FLUSH waits by itself."""


class Awaiting:
    """What one connection has changed, and which jobs it has waited for since."""

    def __init__(self, keeper: JobKeeper) -> None:
        self._keeper = keeper
        self._changed: set[int] = set()
        self._begun: dict[int, Set[int]] = {}
        """What jobs of the connection write to, by their numbers, as long as they were at work when that was asked last."""
        self._flushed: set[int] = set()

    def changed(self, tables: Set[int]) -> None:
        """The connection writes to managed tables, by id."""
        if self._flushed:
            self._flushed -= {job.id for job in following(self._keeper.running, tables)}
        self._changed |= tables

    def begun(self, jobs: Iterable[BackgroundJob]) -> None:
        """The connection has begun jobs."""
        self._begun.update({job.id: job.description.writes for job in jobs})

    def _note_ended(self, running: Sequence[BackgroundJob]) -> None:
        """What a job of the connection has written by its end is what the connection has changed."""
        for number in self._begun.keys() - {job.id for job in running}:
            self.changed(self._begun.pop(number))

    def due(self, tables: Set[int] | None) -> list[BackgroundJob]:
        """The jobs to wait for before these tables are read, or any (None)."""
        running = self._keeper.running
        if self._begun:
            self._note_ended(running)
        if not running or not (self._changed or self._begun):
            return []
        own = [job for job in running if job.id in self._begun]
        changed = self._changed.union(*[job.description.writes for job in own])
        due = [job for job in (*own, *following(running, changed)) if job.id not in self._flushed]
        if tables is not None:
            wanted = {job.id for job in leading(running, tables)}
            due = [job for job in due if job.id in wanted]
        return list({job.id: job for job in due}.values())

    def flushed(self, jobs: Iterable[BackgroundJob]) -> None:
        """What the connection has changed is in effect in these jobs' tables."""
        self._flushed.update(job.id for job in jobs)


def following(jobs: Sequence[BackgroundJob], tables: Set[int]) -> list[BackgroundJob]:
    """The jobs that take changes of the tables, or of what such a job writes."""
    found: list[BackgroundJob] = []
    reached, left = set(tables), list(jobs)
    while new := [job for job in left if job.description.reads & reached]:
        found += new
        left = [job for job in left if job not in new]
        reached = reached.union(*[job.description.writes for job in new])
    return found


def leading(jobs: Sequence[BackgroundJob], tables: Set[int]) -> list[BackgroundJob]:
    """The jobs that write to the tables, or to what such a job reads."""
    found: list[BackgroundJob] = []
    reached, left = set(tables), list(jobs)
    while new := [job for job in left if job.description.writes & reached]:
        found += new
        left = [job for job in left if job not in new]
        reached = reached.union(*[job.description.reads for job in new])
    return found


def in_order(jobs: Sequence[BackgroundJob]) -> Iterator[BackgroundJob]:
    """What writes to tables goes before what reads them."""
    left = list(jobs)
    while left:
        behind = [
            job
            for job in left
            if any(one is not job and one.description.writes & job.description.reads for one in left)
        ]
        following = next((job for job in left if job not in behind), left[0])
        left.remove(following)
        yield following


def tables_read(statement: sql.Statement) -> frozenset[int] | None:
    """The managed tables, by id, whose rows make a difference to a statement; None: it may be any."""
    match statement:
        case sql.Explain(statement=explained) if explained is not None:
            return tables_read(explained)
        case sql.Write():
            return _scanned(statement.query) | _identified([statement.table])
        case (
            sql.QueryStatement() | sql.CopyTo() | sql.InsertIntoSink() | sql.StatementSet() | sql.Explain()
            | sql.CreateManagedTable()
        ):  # fmt: skip
            return frozenset() if statement.query is None else _scanned(statement.query)
        case sql.EndJob(action=sql.JobAction.CANCEL):
            return frozenset()
        case _:
            return frozenset() if isinstance(statement, _READ_NOTHING) else None


def tables_shown(statement: sql.Statement, database: object) -> frozenset[int]:
    """The tables of a database, by id, whose newest rows are in a statement's answer or in what it makes."""
    if isinstance(statement, (sql.Explain, sql.Describe)):
        return frozenset()  # what EXPLAIN carries out is a statement of its own
    query = getattr(statement, "query", None)
    return frozenset() if query is None else tables_scanned(query, database)


def tables_scanned(query: Query, database: object) -> frozenset[int]:
    """The tables of a database, by id, that a query reads without naming a version."""
    read = [node.provider for node in walk_plan(query.root) if isinstance(node, Scan)]
    managed = [one for one in read if isinstance(one, ManagedProvider)]
    return frozenset([one.table_id for one in managed if one.database is database and not one.asked])


def _scanned(query: Query) -> frozenset[int]:
    return _identified(node.provider for node in walk_plan(query.root) if isinstance(node, Scan))


def _identified(providers: Iterable[object]) -> frozenset[int]:
    """Tables that live in the session only may have the number of another one: then a statement waits that need not."""
    return frozenset([one.table_id for one in providers if isinstance(one, (ManagedProvider, ChangesProvider))])
