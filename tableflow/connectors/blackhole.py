"""The blackhole connector: takes all rows and forgets them, so that a query can be measured without its output."""

from __future__ import annotations

from typing import Any

from tableflow.catalog.written import Takes
from tableflow.columnar.batch import Batch
from tableflow.connectors.connector import Connector, OpenContext
from tableflow.connectors.write_only import unread, write_only

KIND = "blackhole"


class Blackhole:
    """Implements :class:`~tableflow.runtime.sink.SinkWriter`."""

    def write(self, batch: Batch) -> None:
        """Forgets the rows."""

    def prepare(self) -> None:
        """Nothing is to be committed."""

    def abort(self) -> None:
        """Nothing was kept."""

    def close(self) -> None:
        """Nothing is held."""


def _open_sink(_options: Any, _context: OpenContext) -> Blackhole:
    return Blackhole()


CONNECTOR = Connector(
    KIND,
    "takes all rows and forgets them",
    (),
    unread,
    write_only(Takes.ANYTHING, lambda _options, _request: (KIND, {})),
    open_sink=_open_sink,
)
