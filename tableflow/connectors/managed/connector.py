"""How plans read and write managed tables; CREATE TABLE names no connector for them."""

from __future__ import annotations

from tableflow.connectors.connector import Connector
from tableflow.connectors.managed import changes, provider, sink, source

TABLES = Connector(
    provider.KIND, "tables that are stored by TableFlow", (), source.open_source, open_sink=sink.open_sink
)
CHANGES = Connector(changes.KIND, "what versions of a managed table changed", (), changes.open_source)
