"""Running a script for the command line: results to one stream, everything else to another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from tableflow.errors import JobError, Span, TableFlowError, UnsupportedError, render
from tableflow.records import dataclass
from tableflow.session import Outcome, Session
from tableflow.shell.metrics import write_metrics
from tableflow.shell.rendering import json_names, open_renderer
from tableflow.shell.timing import Timed, chart
from tableflow.shell.watching import Watch
from tableflow.sql.splitter import split

if TYPE_CHECKING:
    import pyarrow as pa

    from tableflow.session.outcome import Result

_SLICE_SECONDS = 0.5
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a script runs: settings, and the directory of a database (None: one in memory)."""

    settings: Sequence[tuple[str, str]] = ()
    database: str | None = None
    read_only: bool = False
    metrics: str | None = None
    """The file that is to tell what the jobs did."""


def run_script(
    script: str, target: Target, format: str, *, timing: bool, out: TextIO, err: TextIO, stay: bool = True
) -> int:
    """Runs all statements until one fails, and stays while jobs run that they began; the exit code."""
    try:
        session = Session(dict(target.settings), target.database, read_only=target.read_only)
    except TableFlowError as error:
        print(render(error), file=err)
        return 2
    if target.metrics is not None:
        session.jobs.remembered = []
    watch, done = Watch(err), threading.Event()
    threading.Thread(target=_tell_progress, args=(session, err, done), daemon=True).start()
    try:
        start = time.perf_counter()
        for number, outcome in enumerate(session.script(script)):
            if not stay and outcome.result is not None and outcome.result.stays:
                outcome.result.close()
                raise _no_end(split(script)[number].span, script)
            _show(outcome, format, out, err)
            if timing:
                _show_timing(outcome, time.perf_counter() - start, err)
            start = time.perf_counter()
        done.set()
        return _stay(session, out, err, watch) if stay else _leave(session, out, watch)
    except TableFlowError as error:
        out.flush()
        print(render(error, error.script or script), file=err)
        if not isinstance(error, JobError):  # that has told of them
            watch.tell_failed(session)
        return 1
    except KeyboardInterrupt:
        session.storage.shared.keeper.stop()  # so that the metrics count what is written until then
        watch.tell_failed(session)
        raise
    finally:
        done.set()
        try:
            if target.metrics is not None:
                write_metrics(session, target.metrics)
        finally:
            session.close()


def _tell_progress(session: Session, err: TextIO, done: threading.Event) -> None:
    """Loads what tells it when a script has taken long enough."""
    if not done.wait(_PATIENCE_SECONDS):
        from tableflow.shell.progress import tell_progress

        tell_progress(session, err, done)


def _no_end(span: Span, script: str) -> TableFlowError:
    """The error of a query whose rows could be shown for ever, where nobody wants to stay."""
    error = UnsupportedError(
        "the query reads rows without end, and --exit does not stay for them",
        hint="leave --exit out, add LIMIT, or keep the result with CREATE STREAMING TABLE ... AS or INSERT INTO",
        span=span,
    )
    error.script = script
    return error


def _stay(session: Session, out: TextIO, err: TextIO, watch: Watch) -> int:
    """Waits until all jobs have ended, and tells of them; an interrupt stops them at an epoch when the session closes."""
    out.flush()
    keeper = session.storage.shared.keeper
    if running := keeper.running:
        names = ", ".join(job.called(session.catalog.current) for job in running)
        print(f"running: {names}; Ctrl-C stops", file=err, flush=True)
    while running:
        running[0].wait(_SLICE_SECONDS)
        watch.look_at(session)
        running = keeper.running
    return 1 if watch.look_at(session) else 0


def _leave(session: Session, out: TextIO, watch: Watch) -> int:
    """Stops all jobs at an epoch, and tells of those that have failed by then."""
    out.flush()
    session.storage.shared.keeper.stop()
    return 1 if watch.tell_failed(session) else 0


def _show(outcome: Outcome, format: str, out: TextIO, err: TextIO) -> None:
    for warning in outcome.warnings:
        print(f"warning: {warning}", file=err)
    result = outcome.result
    if result is None:
        if outcome.message and format == "table":
            print(outcome.message, file=out)
        return
    try:
        renderer = open_renderer(format, result.schema, out)
        if format == "json":
            for name, other in zip(result.schema.names, json_names(result.schema), strict=True):
                if name != other:
                    print(f"warning: column {name!r} is called {other!r}: a JSON object has each name once", file=err)
        for batch in _batches(result, err):
            renderer.write(batch)
            if result.endless:
                renderer.flush()
                out.flush()
        renderer.finish()
        out.flush()
    finally:
        result.close()


def _batches(result: Result, err: TextIO) -> Iterator[pa.RecordBatch]:
    """What a query gives; of one without end also why nothing comes."""
    watch = Watch(err)
    while True:
        try:
            batch = result.next_batch(_SLICE_SECONDS if result.endless else None)
        except TimeoutError:
            watch.warn(getattr(result, "news", ()))
            continue
        if batch is None:
            return
        yield batch


def _show_timing(outcome: Outcome, seconds: float, err: TextIO) -> None:
    operators = [] if outcome.result is None else outcome.result.times()
    if operators:
        print(f"\n{chart([Timed(o.label, o.busy, o.rows) for o in operators])}", file=err)
    print(f"{seconds * 1e3:.1f} ms", file=err)
