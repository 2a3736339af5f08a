"""TableFlow: one SQL engine for tables that are finished and tables that are not.

``tableflow.connect()`` opens a connection (DB-API 2.0).  Everything is in :mod:`tableflow.dbapi`, which is loaded when the
first name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tableflow.loading import without_collection

if TYPE_CHECKING:
    from tableflow.dbapi import *  # noqa: F403 - the names below, and no other list of them

__version__ = "0.1.0"

__all__ = [  # noqa: F405
    "Connection", "Cursor", "DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError", "InternalError",
    "NotSupportedError", "OperationalError", "ProgrammingError", "Warning", "apilevel", "connect", "paramstyle", "threadsafety",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tableflow' has no attribute {name!r}")
    with without_collection():
        return getattr(importlib.import_module("tableflow.dbapi"), name)
