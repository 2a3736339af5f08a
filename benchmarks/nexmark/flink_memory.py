"""Our events in the memory of Flink's JVM: a connector of our own (``java/nexmark``), compiled against PyFlink's jars.

Both engines see the same rows in the same order: a table's rows are dealt out to as many parts as there are tasks as our own source
deals them out to its splits (cycles of events in turn).  Parts are written as files of columns, which the JVM reads once, before anything is measured.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import tableflow
from benchmarks.nexmark.flink_peer import BID_NOW, Flink
from benchmarks.nexmark.queries import COLUMNS, SIDE_ROWS, declare

_SOURCES = Path(__file__).with_name("java")
_FACTORY = "nexmark.MemoryFactory"
_ROWS_OF_CYCLE = {"person": 1, "auction": 3, "bid": 46}
SIDE_COLUMNS = "key BIGINT, `value` BIGINT"


@contextmanager
def flink_in_memory(interpreter: str, events: int, threads: int) -> Iterator[Flink]:
    """Flink with so many events in its memory; RuntimeError where it cannot be had."""
    with TemporaryDirectory(prefix="nexmark-flink-") as folder:
        classes, data = Path(folder, "classes"), Path(folder, "data")
        compile_connector(interpreter, classes)
        # By another process, so that this one's memory is that of the queries.
        writing = get_context("spawn").Process(target=write_parts, args=(data, events, threads))
        writing.start()
        writing.join()
        if writing.exitcode:
            raise RuntimeError("the events could not be written, see above")
        with Flink(interpreter, threads, statements(data), classes) as flink:
            yield flink


def has_compiler() -> bool:
    """Whether the connector can be compiled here."""
    return shutil.which("javac") is not None


def compile_connector(interpreter: str, out: Path) -> None:
    """Compiles the connector against the jars of the interpreter's PyFlink, and names its factory where Flink looks for it."""
    compiler = shutil.which("javac")
    if compiler is None:
        raise RuntimeError("there is no javac, which compiles the source of events in memory")
    asked = [interpreter, "-c", "import pyflink; print(pyflink.__path__[0])"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(f"{interpreter} has no apache-flink")
    jars = ":".join(map(str, sorted(Path(found.stdout.strip(), "lib").glob("*.jar"))))
    sources = [str(path) for path in sorted(_SOURCES.glob("nexmark/*.java"))]
    done = subprocess.run(
        [compiler, "-nowarn", "-d", str(out), "-cp", jars, *sources], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the source of events in memory cannot be compiled: {done.stderr[-2000:]}")
    services = out / "META-INF" / "services"
    services.mkdir(parents=True)
    (services / "org.apache.flink.table.factories.Factory").write_text(_FACTORY + "\n")


def write_parts(folder: Path, events: int, parts: int) -> None:
    """The rows of each table in ``folder/TABLE/PART``, and the table that is looked up in one part."""
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        declare(connection, events)
        for table, cycle in _ROWS_OF_CYCLE.items():
            rows = connection.execute(f"SELECT * FROM {table}").fetch_arrow_table()
            part_of = np.arange(len(rows)) // cycle % parts
            for part in range(parts):
                _write_part(folder / table / str(part), rows.filter(pa.array(part_of == part)))
    side = np.arange(SIDE_ROWS)
    _write_part(folder / "side_input" / "0", pa.table({"key": side, "value": side}))


def _write_part(folder: Path, rows: pa.Table) -> None:
    folder.mkdir(parents=True)
    (folder / "rows").write_text(str(len(rows)))
    for name in rows.column_names:
        column = rows.column(name).combine_chunks()
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms")).cast(pa.int64())
        if pa.types.is_integer(column.type):
            column.cast(pa.int64()).to_numpy().astype("<i8").tofile(folder / f"{name}.values")
            continue
        lengths = pc.binary_length(column).to_numpy()
        np.concatenate([[0], np.cumsum(lengths)]).astype("<i4").tofile(folder / f"{name}.offsets")
        with (folder / f"{name}.values").open("wb") as file:
            file.writelines(text.encode() for text in column.to_pylist())


def statements(folder: Path) -> list[str]:
    """What declares the tables to Flink."""
    found = [
        f"CREATE TABLE {table} ({columns}, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) "
        f"WITH ('connector' = 'memory', 'path' = '{folder / table}')"
        for table, columns in COLUMNS.items()
    ]
    side = f"CREATE TABLE side_input ({SIDE_COLUMNS}) WITH ('connector' = 'memory', 'path' = '{folder / 'side_input'}')"
    return [*found, side, BID_NOW]
