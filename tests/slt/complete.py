"""Fills in what a corpus file leaves open: ``query`` records without ``----`` get DuckDB's answer.

``python -m tests.slt.complete tests/slt/corpus/joins.slt`` rewrites the file.  Read the answers before committing them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb

from tests.slt.compare import cell


def _types(description: list[Any]) -> str:
    letters = []
    for column in description:
        kind = str(column[1]).upper()
        integer = "INT" in kind and "INTERVAL" not in kind
        letters.append("I" if integer else "R" if kind.startswith(("DOUBLE", "FLOAT", "DECIMAL")) else "T")
    return "".join(letters)


def complete(path: Path) -> None:
    """Rewrites ``path`` with answers."""
    connection = duckdb.connect()
    blocks = path.read_text().rstrip("\n").split("\n\n")
    done = [_completed(block, connection) for block in blocks]
    path.write_text("\n\n".join(done) + "\n")


def _completed(block: str, connection: duckdb.DuckDBPyConnection) -> str:
    lines = block.split("\n")
    start = next((i for i, line in enumerate(lines) if not line.startswith("#")), None)
    if start is None:
        return block
    header, body = lines[start], lines[start + 1 :]
    if header == "statement ok":
        connection.execute("\n".join(body))
        return block
    if not header.startswith("query") or "----" in body:
        return block
    words = header.split()
    sort = words[-1] if words[-1] in {"rowsort", "nosort"} else None
    try:
        relation = connection.execute("\n".join(body))
    except duckdb.Error as error:
        print(f"left open: {body[0]}\n  {error}", file=sys.stderr)
        return block
    types = _types(relation.description)
    rows = [[cell(value) for value in row] for row in relation.fetchall()]
    if sort == "rowsort":
        rows.sort()
    title = " ".join(["query", types, *([sort] if sort else [])])
    answers = ["  ".join(row) for row in rows]
    return "\n".join([*lines[:start], title, *body, "----", *answers])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        complete(Path(name))
