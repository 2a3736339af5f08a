"""A worker: a serialised job graph becomes tasks.  It never sees SQL or a planner."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.config import Settings
from tableflow.connectors.registry import load_all
from tableflow.errors import SerializationError
from tableflow.physical.build import build_operator, load_operators
from tableflow.runtime.graph import JobGraph, SourceSpec
from tableflow.runtime.job import Job
from tableflow.runtime.lookup import Lookups, no_lookups
from tableflow.runtime.scheduler import WorkerPool
from tableflow.runtime.source import Source
from tableflow.serialization import loads


def start(
    document: str | bytes, sources: Callable[[SourceSpec], Source], pool: WorkerPool, lookups: Lookups = no_lookups
) -> Job:
    """Starts the job of a serialised :class:`JobGraph` under the settings it carries."""
    load_all()
    load_operators()
    graph = loads(document)
    if not isinstance(graph, JobGraph):
        raise SerializationError(f"a job graph is expected, not a {type(graph).__name__}")
    job = Job(graph, build_operator, sources, Settings(graph.settings), pool, lookups=lookups)
    job.start()
    return job
