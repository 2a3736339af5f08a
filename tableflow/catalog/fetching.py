"""Tables that can be asked for rows by where these stand: a query reads most of its columns for the few rows that are left in the end."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from tableflow.catalog.provider import Accepted, ScanRequest, TableSchema, TableStatistics


@runtime_checkable
class FetchProvider(Protocol):
    """A :class:`~tableflow.catalog.provider.TableProvider` whose scans can tell where each row stands."""

    @property
    def position(self) -> str:
        """A name that no column has.

        Asked for as the last column, a scan gives a BIGINT under it that tells the rows of the table apart, ascending as they are stored.
        """
        ...

    @property
    def schema(self) -> TableSchema:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    @property
    def bounded(self) -> bool:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def statistics(self) -> TableStatistics:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def accept(self, request: ScanRequest) -> Accepted:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def fetchable(self) -> frozenset[str]:
        """Columns of which few rows can be read for much less than all; none if positions are not offered at all."""
        ...

    def fetch(self, columns: tuple[str, ...]) -> tuple[str, Any]:
        """(kind, options) of a lookup that is asked by ascending positions and answers with these columns, in that order."""
        ...


@runtime_checkable
class TellingProvider(Protocol):
    """A :class:`~tableflow.catalog.provider.TableProvider` that may find out that a column's values are all different."""

    def may_tell_apart(self, column: str) -> bool:
        """Whether it is likely, as far as is known without reading, and can be found out for little."""
        ...

    def tells_apart(self, column: str) -> bool:
        """Whether no two rows of what a scan gives have the same value, and none has NULL; reads the column, once for each version of the table."""
        ...
