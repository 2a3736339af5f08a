"""A declared table that has more columns than its connector delivers: computed ones, and event time.

The connector sees only what it delivers; the binder computes the rest above the scan, and the runtime keeps sources of one group together.
"""

from __future__ import annotations

from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import (
    Accepted,
    Alignment,
    ScanRequest,
    TableProvider,
    TableSchema,
    TableStatistics,
    assure,
    is_made_up,
    partition_columns,
    replayable,
)
from tableflow.catalog.written import SinkOffer, sink_of
from tableflow.config import duration
from tableflow.connectors.option import Option, OptionError, read_options, text
from tableflow.records import dataclass, replace

_GROUP, _MOST = "scan.watermark.alignment.group", "scan.watermark.alignment.max-drift"
_INTERVAL = "scan.watermark.alignment.update-interval"
ALIGNMENT = (
    Option(_GROUP, "text", text, "tables of one job with the same group are read at about the same event time"),
    Option(_MOST, "duration", duration, "how far event time may be ahead of the slowest of the group, such as 1 min"),
)
"""Options of all connectors, for tables with WATERMARK FOR."""


def delivered(definition: TableDefinition) -> TableDefinition:
    """The declaration as the connector sees it."""
    columns = tuple([column for column in definition.columns if not column.computed])
    return definition if columns == definition.columns else replace(definition, columns=columns)


def alignment_of(definition: TableDefinition) -> Alignment | None:
    """How the table keeps together with others; :class:`OptionError` names what is wrong or missing."""
    given = {name: value for name, value in definition.options if is_alignment(name)}
    if not given:
        return None
    first = next(iter(given))
    if _INTERVAL in map(str.lower, given):
        raise OptionError(
            f"there is no option {_INTERVAL!r}",
            option=next(name for name in given if name.lower() == _INTERVAL),
            hint="leave it out: times are compared whenever one changes, not at intervals",
        )
    values = read_options(definition.connector, ALIGNMENT, given)
    for name in (_GROUP, _MOST):
        if not values[name] and values[name] != 0:
            raise OptionError(
                f"option {first!r} needs option {name!r}", option=first, hint=f"'{name}' = ...: {_doc(name)}"
            )
    if values[_MOST] < 0:
        raise OptionError(f"option {_MOST!r} cannot be negative", option=_MOST, value=True, hint=_doc(_MOST))
    if definition.watermark is None:
        raise OptionError(
            f"option {first!r} is about event time, which table {definition.name!r} has not",
            option=first,
            hint="declare WATERMARK FOR a column",
        )
    return Alignment(values[_GROUP], values[_MOST])


def is_alignment(option: str) -> bool:
    """Whether an option is not the connector's, but about several sources."""
    return option.lower().startswith("scan.watermark.alignment.")


def _doc(name: str) -> str:
    return next(option.doc for option in ALIGNMENT if option.name == name)


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
        watermark = self.definition.watermark
        if watermark is not None:
            watermark = replace(watermark, alignment=alignment_of(self.definition))
        return replace(below, columns=columns, watermark=watermark or below.watermark)

    @property
    def bounded(self) -> bool:
        """Whether a scan ends."""
        return self.provider.bounded

    @property
    def replayable(self) -> bool:
        """See :func:`~tableflow.catalog.provider.replayable`."""
        return replayable(self.provider)

    def assure(self) -> None:
        """See :func:`~tableflow.catalog.provider.assure`."""
        assure(self.provider)

    @property
    def made_up(self) -> bool:
        """See :func:`~tableflow.catalog.provider.is_made_up`."""
        return is_made_up(self.provider)

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
