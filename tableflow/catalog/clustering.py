"""Which columns of a table have their values near each other in the order in which it is read.

Nobody may rely on it for what a result is: it comes from statistics that others wrote, and rows may lie elsewhere.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

Boundaries: TypeAlias = tuple[int, ...]
"""Ascending storage values that cut a column into ranges of about as many rows as are read at a time."""


@runtime_checkable
class ClusteredProvider(Protocol):
    """A :class:`~tableflow.catalog.provider.TableProvider` that may know which rows lie together."""

    def boundaries(self, column: str) -> Boundaries:
        """Between which values of a column, stored as integers, rows lie together; nothing where they do not."""
        ...
