"""Writes docs/functions.md from the registry: ``python -m tableflow.expressions.reference [path]``.

The page is generated and checked in; a test says when it is out of date.
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from pathlib import Path

from tableflow.expressions.function import AggregateFunction, Function
from tableflow.expressions.functions.windows import WindowFunction
from tableflow.expressions.registry import AGGREGATES, FUNCTIONS, WINDOWS

_TITLES = {
    "arithmetic": "Arithmetic", "comparison": "Comparisons", "logic": "Logic", "conditional": "Choosing values",
    "mathematics": "Rounding and mathematics", "strings": "Text", "patterns": "Patterns", "dates": "Dates and times",
    "nested": "Arrays, maps, rows", "statement": "The statement",
}  # fmt: skip
_HEAD = """# Functions and operators

<!-- Written by `python -m tableflow.expressions.reference`; edit the entries in tableflow/expressions/functions. -->

Names match in any case. A function of a NULL is NULL unless its entry says otherwise. Exact numbers never lose digits
silently: overflow and division by zero are errors, `try(...)` and `TRY_CAST` give NULL instead. Above 38 digits a decimal
type keeps its whole digits, and its scale is cut to no less than the smaller of itself and 6. Integer literals count with
their own digits. `DOUBLE` follows IEEE 754, but NaN equals NaN and is above all numbers.

**Conversions** round once. An exact number becomes the nearest `DOUBLE` or `FLOAT` (of two equally near the even one), and
text is read as the nearest too; a `DOUBLE` becomes an exact number from its exact binary value, halves away from zero, so
`CAST(2.675e0 AS DECIMAL(3,2))` is 2.67: the `DOUBLE` is a little less than 2.675.

**Text.** `CAST('abcdef' AS VARCHAR(3))` is `abc`: a cast that is written cuts, as standard SQL has it. Storing into a
`VARCHAR(3)` column does not: text that is too long is an error there unless only blanks would be cut. A `CHAR(n)` is filled up with
blanks, which do not count when it is compared (`PAD SPACE`): `CAST('ab' AS CHAR(4)) = 'ab'`; everywhere else they do.

**Dates and timestamps** lie between 0001-01-01 and 9999-12-31; arithmetic or a cast that leaves this range is an error. The
calendar is the proleptic Gregorian one. Weeks are ISO weeks.

**Time zones.** A `TIMESTAMP` is what a wall clock shows, a `TIMESTAMP_LTZ` is an instant. Between the two, and wherever an
instant is shown, cast, read from text without an offset, or looked at (`extract`, `date_trunc`, `date_diff`, months and days
of an interval), the wall clock of the session's zone stands: `SET 'table.local-time-zone' = 'Europe/Berlin'` (default UTC).
A wall-clock time that comes twice, when clocks are turned back, is the first of the two instants; one that clocks leap over
is as much later as they leap (Flink's and Java's rules). So `TIMESTAMP_LTZ '2020-03-28 12:00:00' + INTERVAL '1' DAY` is noon
of the next day, and `+ INTERVAL '24' HOUR` one hour later than that. In files, instants without an offset are UTC.

**Arrays and rows** compare member by member; a NULL inside equals a NULL and is above all else, a shorter array is below
those that begin with it. They group, join, sort and are aggregated like other values; maps and JSON are not.

**Intervals** have months, days and microseconds. They compare, group, join and sort by their length, in which a month has 30
days and a day 24 hours: `INTERVAL '1' MONTH = INTERVAL '30' DAY`, and both are one group.
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")


def _is_in(name: str, signature: str) -> bool:
    """Whether a name stands in a signature as a word or an operator of its own."""
    return re.search(rf"(?<![\w|]){re.escape(name)}(?![\w|])", signature, re.IGNORECASE) is not None


def _row(entry: Function) -> str:
    names = ", ".join(f"`{_cell(alias)}`" for alias in entry.aliases if not _is_in(alias, entry.signature))
    doc = _cell(entry.doc) + (f" Also: {names}." if names else "")
    sql, answer = entry.example
    return f"| `{_cell(entry.signature)}` | {doc} | `{_cell(sql)}` is `{_cell(answer)}` |"


def _aggregate_row(entry: AggregateFunction | WindowFunction) -> str:
    aliases = entry.aliases if isinstance(entry, AggregateFunction) else ()
    names = ", ".join(f"`{alias}`" for alias in aliases if not _is_in(alias, entry.signature))
    row = f"| `{_cell(entry.signature)}` | {_cell(entry.doc)}{f' Also: {names}.' if names else ''} |"
    if isinstance(entry, WindowFunction):
        return row
    sql, answer = entry.example
    return f"{row} {f'`{_cell(sql)}` is `{_cell(answer)}`' if sql else ''} |"


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    order = {family: place for place, family in enumerate(_TITLES)}
    entries = sorted(FUNCTIONS, key=lambda entry: order[entry.family])
    for family, group in groupby(entries, key=lambda entry: entry.family):
        parts.append(f"\n## {_TITLES[family]}\n\n| | | example |\n|---|---|---|\n")
        parts += [_row(entry) + "\n" for entry in group]
    parts.append(
        "\n## Aggregates\n\nThey leave out NULLs, take `DISTINCT` and `FILTER (WHERE ...)`, and are NULL of no rows, "
    )
    parts.append(
        "except counts. The examples are over rows (x, y): (1, 'd'), (2, 'a'), (2, 'b'), (4, 'c'), (NULL, 'e').\n\n"
    )
    parts.append("| | | example |\n|---|---|---|\n")
    parts += [_aggregate_row(entry) + "\n" for entry in AGGREGATES]
    parts.append(
        "\n## Window functions\n\nThey and all aggregates take `OVER (PARTITION BY ... ORDER BY ... ROWS | RANGE | GROUPS ...)`; "
    )
    parts.append("those of values take `IGNORE NULLS`.\n\n| | |\n|---|---|\n")
    parts += [_aggregate_row(entry) + "\n" for entry in WINDOWS]
    return "".join(parts)


def main() -> None:
    """Write the page."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/functions.md")
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
