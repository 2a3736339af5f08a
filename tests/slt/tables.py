"""Views over VALUES as tables that really are read in parallel: each split has two rows.

The corpus writes its tables as views, which any engine can run.  Constant rows come from one task, so a mode that is about
parallelism would see nothing of it; here the rows of such a view become a table in memory, cut into splits.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tableflow.session import Session

_CONSTANT = re.compile(r"CREATE (?:OR REPLACE )?VIEW (\w+) AS SELECT .* FROM \(VALUES .*", re.DOTALL)
_SPLIT_ROWS = 2


def readings(rows: int) -> pa.Table:
    """So many rows of a text, a decimal of a half, and a number that no other row has; every second one of the same text."""
    return pa.table(
        {
            "place": pa.array(["here", "there"] * (rows // 2)),
            "value": pa.array([Decimal("0.50")] * rows, pa.decimal128(10, 2)),
            "number": pa.array(range(rows), pa.int64()),
        }
    )


def stored(session: Session, sql: str, folder: Path | None = None) -> bool:
    """Whether ``sql`` made a view of constants, which now is a table of small splits, or a file in the ``folder``."""
    match = _CONSTANT.fullmatch(sql.strip())
    if match is None:
        return False
    result = session.execute(sql.strip().partition(" AS ")[2]).result
    assert result is not None
    rows = pa.Table.from_batches(list(iter(result.next_batch, None)), schema=result.schema)
    name = match.group(1)
    if folder is not None and _written(session, name, rows, folder):
        return True
    session.registrations.table(name, rows, split_rows=_SPLIT_ROWS)
    return True


def _written(session: Session, name: str, rows: pa.Table, folder: Path) -> bool:
    """Whether the rows are in a Parquet file of small row groups, which has no place for intervals."""
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    try:
        pq.write_table(rows, path, row_group_size=_SPLIT_ROWS)
    except pa.ArrowNotImplementedError:
        return False
    session.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM '{path}'")
    return True
