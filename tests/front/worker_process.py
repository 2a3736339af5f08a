"""A worker in a process of its own: runs the job graphs of a directory, as JSON, and writes what has rows as Arrow files.

``python worker_process.py DIRECTORY`` prints the modules it has loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
from pyarrow import feather

from tableflow import worker
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.representation import boundary
from tableflow.connectors.registry import Sources
from tableflow.runtime.scheduler import WorkerPool


def run(document: str, pool: WorkerPool) -> list[pa.RecordBatch]:
    """All rows of a job, in columns named by position."""
    sources = Sources()
    job = worker.start(document, sources.open, pool, sources.open_lookup)
    batches = []
    while (batch := job.next_batch(timeout=60)) is not None:
        arrays = [boundary(column) for column in compact(batch).columns]
        batches.append(pa.RecordBatch.from_arrays(arrays, [str(i) for i in range(len(arrays))]))
    job.close()
    return batches


def main() -> None:
    directory, pool = Path(sys.argv[1]), WorkerPool(2)
    for path in sorted(directory.glob("*.json")):
        batches = run(path.read_text(), pool)
        if batches:
            feather.write_feather(pa.Table.from_batches(batches), path.with_suffix(".arrow"))
    pool.close()
    print("\n".join(sorted(sys.modules)))


if __name__ == "__main__":
    main()
