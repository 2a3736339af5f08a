"""``tableflow check-database``: what is in a database, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from tableflow.storage.check import check_database
from tableflow.storage.local_disk import LocalDisk


def run_check(folder: str, out: TextIO, err: TextIO) -> int:
    """Prints the report; 0 if all is well, 1 if something is damaged or there is no database."""
    report = check_database(LocalDisk(Path(folder).expanduser()))
    for remark in report.remarks:
        print(f"note: {remark}", file=out)
    for problem in report.problems:
        print(f"error: {problem}", file=err)
    counts = f"{_count(report.tables, 'table')}, {_count(report.versions, 'version')}, {_count(report.rows, 'row')}"
    print(f"{counts}, {_count(report.files, 'file')}, {_count(len(report.problems), 'problem')}", file=out)
    return 1 if report.problems else 0


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
