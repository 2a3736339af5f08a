"""Which columns of a table have their values near each other in the order in which it is read.

Nobody may rely on it for what a result is: it comes from statistics that others wrote, and rows may lie elsewhere.
"""

from __future__ import annotations

from typing import TypeAlias

from tableflow.catalog.provider import TableProvider

Boundaries: TypeAlias = tuple[int, ...]
"""Ascending storage values that cut a column into ranges of about as many rows as are read at a time."""


def boundaries_of(provider: TableProvider, column: str) -> Boundaries:
    """Between which values of a column, stored as integers, rows lie together; nothing where they do not.

    Asks the provider's method ``boundaries``, if it has one.
    """
    find = getattr(provider, "boundaries", None)
    return () if find is None else find(column)
