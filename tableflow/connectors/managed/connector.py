"""How plans read and write managed tables; CREATE TABLE names no connector for them."""

from __future__ import annotations

from tableflow.connectors.connector import Connector
from tableflow.connectors.managed import changes, epoch_sink, provider, sink, source, stream

TABLES = Connector(
    provider.KIND, "tables that are stored by TableFlow", (), source.open_source, open_sink=sink.open_sink
)
STREAMS = Connector(stream.KIND, "managed tables as streams of their changes", (), stream.open_source)
KEPT = Connector(
    epoch_sink.KIND, "managed tables that a job keeps", (), stream.open_source, open_sink=epoch_sink.open_sink
)
CHANGES = Connector(changes.KIND, "what versions of a managed table changed", (), changes.open_source)
