"""Reading sqllogictest files: statements that succeed or fail, queries with their expected rows.

::

    statement ok
    CREATE VIEW t AS SELECT * FROM (VALUES (1, 'a')) v(x, y)

    statement error column .* does not exist
    SELECT z FROM t

    query IT rowsort
    SELECT x, y FROM t
    ----
    1  a

Values are separated by tabs or two and more spaces.  Column types: I integer, R number (compared at 1e-9 relative), T text.
Sorting: nosort (as given), rowsort.  ``(empty)`` is the empty string, NULL is NULL.  A line ``# differs: reason`` before a
record says that DuckDB gives another answer, and why; ``# differs since 2.0.1: reason`` that it does from a version on.
``$FOLDER`` in a record is an empty folder, another one each time the file is read.
Lines ``# duckdb: query`` before a record say how DuckDB spells it: then that has to give the same rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``rows`` is None for statements, ``error`` the pattern of a failing one."""

    file: str
    line: int
    sql: str
    types: str = ""
    sort: str = "nosort"
    rows: tuple[tuple[str, ...], ...] | None = None
    error: str | None = None
    differs: str | None = None
    duckdb: str = ""

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


VALUES_APART = r"\t|\s{2,}"
_FOLDERS = TemporaryDirectory(prefix="slt-")  # goes with the process
_HEADER = re.compile(r"(statement|query)\b\s*(.*)")
_DIFFERS = re.compile(r"# differs(?: since ([\d.]+))?: *(.+)")


def read(path: Path) -> list[Record]:
    """All records of a file, in order."""
    text = path.read_text()
    if "$FOLDER" in text:
        text = text.replace("$FOLDER", mkdtemp(dir=_FOLDERS.name))
    lines = text.splitlines()
    records: list[Record] = []
    differs: str | None = None
    duckdb: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if (note := _DIFFERS.fullmatch(line)) is not None:
            since, reason = note.groups()
            if since is None or _numbers(since) <= _numbers(version("duckdb")):
                differs = reason
            continue
        if line.startswith("# duckdb:"):
            duckdb.append(line.removeprefix("# duckdb:").strip())
            continue
        if not line or line.startswith("#"):
            continue
        header = _HEADER.fullmatch(line)
        if header is None:
            raise ValueError(f"{path.name}:{number}: not a record: {line!r}")
        block, number, start = _block(lines, number)
        record = _record(path.name, start - 1, header, block, differs)
        records.append(replace(record, duckdb=" ".join(duckdb)))
        differs, duckdb = None, []
    return records


def _numbers(of: str) -> list[int]:
    """A version, comparable."""
    return [int(part) for part in re.findall(r"\d+", of)]


def _block(lines: list[str], number: int) -> tuple[list[str], int, int]:
    start = number + 1
    block = []
    while number < len(lines) and lines[number].strip():
        block.append(lines[number])
        number += 1
    return block, number, start


def _record(file: str, line: int, header: re.Match[str], block: list[str], differs: str | None) -> Record:
    kind, rest = header.groups()
    if kind == "statement":
        outcome, _, pattern = rest.partition(" ")
        if outcome not in {"ok", "error"}:
            raise ValueError(f"{file}:{line}: statement ok or statement error")
        error = (pattern.strip() or ".") if outcome == "error" else None
        return Record(file, line, "\n".join(block), error=error, differs=differs)
    words = rest.split()
    cut = block.index("----") if "----" in block else len(block)
    rows = tuple(tuple(re.split(VALUES_APART, text.strip())) for text in block[cut + 1 :])
    types, sort = words[0], words[1] if len(words) > 1 else "nosort"
    return Record(file, line, "\n".join(block[:cut]), types, sort, rows, differs=differs)
