"""What tables and views there are: entries, the store that DDL changes, frozen snapshots, the provider protocol.

Takes providers from connectors through functions it is given; gives binders a :class:`CatalogSnapshot`.  Knows no
SQL and does no I/O.
"""

from tableflow.catalog.entry import DEFAULT_SCHEMA, TableDefinition, TableEntry, ViewEntry
from tableflow.catalog.snapshot import CatalogSnapshot
from tableflow.catalog.store import CatalogStore

__all__ = ["DEFAULT_SCHEMA", "CatalogSnapshot", "CatalogStore", "TableDefinition", "TableEntry", "ViewEntry"]
