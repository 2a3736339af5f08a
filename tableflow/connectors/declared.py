"""A declared table that has more columns than its connector delivers: computed ones, and event time.

The connector sees only what it delivers; the binder computes the rest above the scan.
"""

from __future__ import annotations

from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import (
    Accepted,
    ScanRequest,
    TableProvider,
    TableSchema,
    TableStatistics,
    partition_columns,
    replayable,
)
from tableflow.catalog.written import SinkOffer, sink_of
from tableflow.records import dataclass, replace


def delivered(definition: TableDefinition) -> TableDefinition:
    """The declaration as the connector sees it."""
    columns = tuple([column for column in definition.columns if not column.computed])
    return definition if columns == definition.columns else replace(definition, columns=columns)


def declared(definition: TableDefinition, provider: TableProvider) -> TableProvider:
    """The provider with everything that was declared."""
    if definition.watermark is None and all(not column.computed for column in definition.columns):
        return provider
    return DeclaredTable(provider, definition)


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """Implements :class:`~tableflow.catalog.provider.TableProvider` over that of the connector."""

    provider: TableProvider
    definition: TableDefinition

    @property
    def schema(self) -> TableSchema:
        """The connector's columns, and the computed ones where they were declared."""
        below = self.provider.schema
        by_name = {column.name.lower(): column for column in below.columns}
        columns = tuple(
            [
                column if column.computed else by_name.get(column.name.lower(), column)
                for column in self.definition.columns
            ]
        )
        hidden = tuple([column for column in below.columns if column.hidden])
        columns = (*columns, *hidden) if columns else below.columns
        return replace(below, columns=columns, watermark=self.definition.watermark or below.watermark)

    @property
    def bounded(self) -> bool:
        """Whether a scan ends."""
        return self.provider.bounded

    @property
    def replayable(self) -> bool:
        """See :func:`~tableflow.catalog.provider.replayable`."""
        return replayable(self.provider)

    @property
    def partitioned(self) -> frozenset[str]:
        """The connector's."""
        return partition_columns(self.provider)

    @property
    def sink(self) -> SinkOffer | None:
        """The connector's; it is given what it would deliver."""
        return sink_of(self.provider)

    def statistics(self) -> TableStatistics:
        """What is known of the delivered columns."""
        return self.provider.statistics()

    def accept(self, request: ScanRequest) -> Accepted:
        """What the connector's scan fulfils."""
        return self.provider.accept(request)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """The connector's source."""
        return self.provider.source(accepted)
