"""TPC-H tables whose statistics are pinned to those of scale 1, so that plans do not depend on files.

``python -m tests.tpch.pinned DIR`` writes ``statistics.json`` from Parquet files at scale 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tableflow.catalog.provider import (
    Accepted,
    ColumnDefinition,
    ColumnStatistics,
    ScanRequest,
    TableSchema,
    TableStatistics,
)
from tableflow.catalog.store import CatalogStore
from tableflow.connectors.registry import create_provider, file_provider
from tableflow.serialization import decode, encode
from tpch.queries import TABLES

STATISTICS = Path(__file__).parent / "statistics.json"


class PinnedTable:
    """A provider that knows a table's columns and statistics, and cannot be read."""

    bounded = True

    def __init__(self, name: str, document: dict[str, Any]) -> None:
        self._name = name
        columns = tuple(ColumnDefinition(c["name"], decode(c["type"]), c["nullable"]) for c in document["columns"])
        self.schema = TableSchema(columns)
        self._statistics = TableStatistics(
            document["rows"], {c["name"]: decode(c["statistics"]) for c in document["columns"]}
        )

    def statistics(self) -> TableStatistics:
        """As pinned."""
        return self._statistics

    def accept(self, request: ScanRequest) -> Accepted:
        """Takes predicates for pruning only, as Parquet does."""
        return Accepted(request, inexact=request.predicates)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """A source nobody opens."""
        return "pinned", {"table": self._name, "columns": list(accepted.request.columns)}


def pinned_catalog() -> CatalogStore:
    """A catalog of the eight tables."""
    store = CatalogStore(file_provider, create_provider)
    document = json.loads(STATISTICS.read_text())
    for name in TABLES:
        store.create_table((name,), provider=PinnedTable(name, document[name]))
    return store


def write(data: Path) -> None:
    """Writes the statistics of the files in ``data``."""
    document = {}
    for name in TABLES:
        provider = file_provider(str(data / f"{name}.parquet"))
        known = provider.statistics()
        columns = [
            {
                "name": c.name,
                "type": encode(c.type),
                "nullable": c.nullable,
                "statistics": encode(known.columns.get(c.name, ColumnStatistics())),
            }
            for c in provider.schema.columns
        ]
        document[name] = {"rows": known.rows, "columns": columns}
    STATISTICS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
