"""Tables that cannot be read as a whole, but asked for the rows of keys: the right sides of lookup joins."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from tableflow.catalog.provider import Accepted, ScanRequest, TableSchema, TableStatistics
from tableflow.records import dataclass
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long answers are good for; times in microseconds since the answer came, or was last used.

    ``missing``: that a key has no rows is remembered as well.
    """

    max_rows: int | None = None
    after_write: int | None = None
    after_access: int | None = None
    missing: bool = True


@runtime_checkable
class LookupProvider(Protocol):
    """A :class:`~tableflow.catalog.provider.TableProvider` that answers for keys.

    ``key``: the columns by which it has to be asked; empty if any will do.  ``batch_keys``: most keys of one question.
    """

    key: tuple[str, ...]
    batch_keys: int
    cache: CachePolicy | None

    @property
    def schema(self) -> TableSchema:
        """Its columns."""
        ...

    @property
    def bounded(self) -> bool:
        """Always: a query ends although the table goes on."""
        ...

    def statistics(self) -> TableStatistics:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def accept(self, request: ScanRequest) -> Accepted:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """Refused: it cannot be read as a whole."""
        ...

    def lookup(self, keys: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, Any]:
        """(kind, options) of what answers, with these columns, for keys of those; a value that may be part of a plan."""
        ...
