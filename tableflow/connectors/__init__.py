"""Sources, formats and table providers: where rows come from.

Takes declarations (:class:`~tableflow.catalog.entry.TableDefinition`, paths, Arrow tables) and gives table
providers to the planner; takes a :class:`~tableflow.runtime.graph.SourceSpec` and gives a source to the runtime.
A connector is one module and one line in :mod:`tableflow.connectors.registry`.
"""

from tableflow.connectors.memory import MemoryTable, memory_provider
from tableflow.connectors.registry import (
    CONNECTORS,
    Sources,
    check_definition,
    create_provider,
    file_provider,
    open_source,
)

__all__ = [
    "CONNECTORS",
    "MemoryTable",
    "Sources",
    "check_definition",
    "create_provider",
    "file_provider",
    "memory_provider",
    "open_source",
]
