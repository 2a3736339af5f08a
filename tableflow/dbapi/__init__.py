"""DB-API 2.0 (PEP 249): connections and cursors over a session.

Parameters are ``?`` (a sequence) or ``:name`` (a mapping).  Rows are tuples of Python values: Decimal, date, datetime, str,
bytes, list, dict; ``fetch_arrow_table`` and ``fetch_record_batch`` give Arrow without a Python object per value.  Every
statement is its own transaction: ``autocommit`` is True, ``commit`` does nothing, ``rollback`` is refused.
"""

# ruff: noqa: F401 - the names of the package itself are listed there

import tableflow
from tableflow.dbapi.connection import Connection, connect
from tableflow.dbapi.cursor import Cursor
from tableflow.dbapi.type_objects import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)
from tableflow.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - PEP 249 names it so
)

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"

__all__ = [
    "BINARY", "DATETIME", "NUMBER", "ROWID", "STRING", "Binary", "Date", "DateFromTicks", "Time", "TimeFromTicks",
    "Timestamp", "TimestampFromTicks",
]  # fmt: skip
__all__ += tableflow.__all__
