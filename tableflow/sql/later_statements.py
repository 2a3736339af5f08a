"""Statements that the dialect names and this version does not have: refused by name, with what to do instead.

Looked up before a statement is parsed, by the words that it begins with, so that whatever follows them (a path, a job's number,
an option) is no syntax error.  Invariant: no statement that this version carries out begins with such words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from tableflow.errors import UnsupportedError
from tableflow.sql.lexer import Kind, Lexeme, lex


class _Later(NamedTuple):
    """What a statement is called, what it would need, and what does the same or nearly."""

    name: str
    missing: str | None = None
    instead: str | None = None
    named: bool = False
    """Whether it is one only if a name follows: else the last word is a name itself."""


_NO_SNAPSHOTS = "jobs take no snapshots of their state yet"
_AGAIN = (
    "a streaming table's job reads its inputs from the start when the database is opened again,"
    " and CREATE OR REPLACE STREAMING TABLE begins it anew at once"
)
_STOPPED = f"STOP JOB id ends a job when what its sources have given is written; {_AGAIN}"
_BEGINS = f"{_AGAIN}; an INSERT has to be run again"
_COMMITTED = (
    "FLUSH returns when all that was given before is in effect and committed; SHOW VERSIONS t lists a table's versions"
)
_SHOWN = "SHOW JOBS lists jobs, SHOW VERSIONS t the versions of a table"
_NO_FUNCTIONS = "users' own functions are not there yet"
_WINDOWS = "SESSION, PUNCTUATED, DELTA, LANDMARK and GLOBAL with EMIT and KEEP LAST are windows that data decides about"
_BEFOREHAND = "compute the values in Python, and hand the rows over with connection.register or register_stream"
_STATE = "aggregates with OVER, LAG and the functions of SHOW FUNCTIONS keep state by key"

_LATER: dict[str, _Later] = {
    "CREATE SAVEPOINT": _Later("CREATE SAVEPOINT", _NO_SNAPSHOTS, _STOPPED),
    "DROP SAVEPOINT": _Later("DROP SAVEPOINT", _NO_SNAPSHOTS, _STOPPED),
    "SHOW SAVEPOINTS": _Later("SHOW SAVEPOINTS", _NO_SNAPSHOTS, _SHOWN),
    "SHOW CHECKPOINTS": _Later("SHOW CHECKPOINTS", _NO_SNAPSHOTS, _SHOWN),
    "CHECKPOINT": _Later("CHECKPOINT JOB", _NO_SNAPSHOTS, _COMMITTED),
    "STOP JOB # WITH SAVEPOINT": _Later("STOP JOB WITH SAVEPOINT", _NO_SNAPSHOTS, _STOPPED),
    "STOP JOB # WITH DRAIN": _Later(
        "STOP JOB WITH DRAIN", "windows that are open when a job is stopped give no rows", "STOP JOB id; EMIT EVERY shows open windows"
    ),
    "CANCEL JOB # WITH": _Later("CANCEL JOB WITH SAVEPOINT or DRAIN", _NO_SNAPSHOTS, _STOPPED),
    "RESTORE": _Later("RESTORE JOB", _NO_SNAPSHOTS, _BEGINS),
    "START JOB": _Later("START JOB", _NO_SNAPSHOTS, _BEGINS),
    "RESUME": _Later("RESUME JOB", _NO_SNAPSHOTS, _BEGINS),
    "PAUSE JOB": _Later("PAUSE JOB", _NO_SNAPSHOTS, _STOPPED),
    "SUSPEND JOB": _Later("SUSPEND JOB", _NO_SNAPSHOTS, _STOPPED),
    "ALTER JOB": _Later("ALTER JOB", "a job runs as it was planned", "SET what is to change, then CREATE OR REPLACE STREAMING TABLE"),
    "DROP JOB": _Later("DROP JOB", None, "CANCEL JOB id ends a job; DROP TABLE drops a streaming table with its job"),
    "CREATE FUNCTION": _Later("CREATE FUNCTION", _NO_FUNCTIONS, _BEFOREHAND),
    "CREATE AGGREGATE": _Later("CREATE AGGREGATE FUNCTION", _NO_FUNCTIONS, f"{_STATE}; or {_BEFOREHAND}"),
    "CREATE TABLE FUNCTION": _Later("CREATE TABLE FUNCTION", _NO_FUNCTIONS, _BEFOREHAND, named=True),
    "CREATE PROCESS FUNCTION": _Later("CREATE PROCESS FUNCTION", _NO_FUNCTIONS, f"{_STATE}; or {_BEFOREHAND}"),
    "CREATE WINDOW": _Later("CREATE WINDOW FUNCTION", _NO_FUNCTIONS, _WINDOWS),
    "CREATE MACRO": _Later("CREATE MACRO", _NO_FUNCTIONS, "CREATE VIEW gives a query a name"),
    "DROP FUNCTION": _Later("DROP FUNCTION", _NO_FUNCTIONS),
    "DROP AGGREGATE": _Later("DROP AGGREGATE FUNCTION", _NO_FUNCTIONS),
    "DROP TABLE FUNCTION": _Later("DROP TABLE FUNCTION", _NO_FUNCTIONS, named=True),
    "DROP WINDOW": _Later("DROP WINDOW FUNCTION", _NO_FUNCTIONS),
    "CREATE CATALOG": _Later("CREATE CATALOG", None, "a connection has one database; CREATE SCHEMA divides it"),
    "CREATE INDEX": _Later("CREATE INDEX", None, "PRIMARY KEY and UNIQUE make an index"),
    "CREATE EXTERNAL": _Later("CREATE EXTERNAL TABLE", None, "CREATE TABLE ... WITH ('connector' = ...) reads what lies elsewhere"),
    "DROP CATALOG": _Later("DROP CATALOG"),
    "DROP INDEX": _Later("DROP INDEX"),
    "ANALYZE": _Later("ANALYZE TABLE", None, "statistics need not be gathered: files and tables bring theirs; EXPLAIN COST shows what is made of them"),
    "ANALYZE SELECT": _Later("ANALYZE SELECT", None, "EXPLAIN ANALYZE SELECT ... runs a query and shows where its time went"),
    "CALL": _Later("CALL"),
    "PIVOT": _Later("PIVOT", None, "aggregates with FILTER make columns of rows"),
    "UNPIVOT": _Later("UNPIVOT", None, "UNION ALL makes rows of columns"),
    "SUMMARIZE": _Later("SUMMARIZE"),
    "ATTACH": _Later("ATTACH"),
    "DETACH": _Later("DETACH"),
    "PRAGMA": _Later("PRAGMA", None, "SET changes a setting, DESCRIBE t shows columns"),
    "GRANT": _Later("GRANT"),
    "REVOKE": _Later("REVOKE"),
}  # fmt: skip
_LONGEST = max(phrase.count(" ") for phrase in _LATER) + 1
_BEGINNINGS = frozenset(phrase.split()[0] for phrase in _LATER)
_BETWEEN = frozenset({"OR", "REPLACE", "TEMPORARY", "TEMP"})
"""Words between CREATE and what is created."""

FIRST_WORDS = frozenset(phrase for phrase in _LATER if " " not in phrase)
"""First words of statements of which nothing is there yet."""


def refuse_later(text: str, start: int) -> None:
    """Raises :class:`~tableflow.errors.UnsupportedError`, with a place in the script, if the text begins such a statement."""
    lexemes = (each for each in lex(text) if each.kind not in {Kind.SPACE, Kind.COMMENT})
    first = next(lexemes, None)
    if first is None or first.text.upper() not in _BEGINNINGS:
        return
    words = [first, *islice((each for each in lexemes if each.text.upper() not in _BETWEEN), _LONGEST - 1)]
    for length in range(len(words), 0, -1):
        later = _LATER.get(" ".join(_shown(each) for each in words[:length]))
        if later is not None and not (later.named and not _names(words[length:])):
            raise UnsupportedError(
                f"{later.name} is not supported yet",
                detail=later.missing,
                hint=later.instead,
                span=first.span.joined(words[length - 1].span).shifted(start),
            )


def _names(following: Sequence[Lexeme]) -> bool:
    """Whether a name comes next."""
    return bool(following) and following[0].kind in {Kind.WORD, Kind.QUOTED} and following[0].text.upper() != "AS"


def _shown(lexeme: Lexeme) -> str:
    """A word as the phrases have it; which job is meant does not matter."""
    return "#" if lexeme.kind in {Kind.NUMBER, Kind.STRING} else lexeme.text.upper()
