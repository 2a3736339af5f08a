"""What a transaction is to do to one table, and the change of the table that it becomes."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from tableflow.records import dataclass
from tableflow.storage.description import ChangeKind, TableDescription
from tableflow.storage.record import NO_IDS, RowIds, TableChange
from tableflow.storage.staging import StagedWriter, inline_rows
from tableflow.storage.table_state import TableState


@dataclass(slots=True)
class StagedTable:
    """What is to happen to one table."""

    before: TableState | None
    """None for a table that is made."""
    description: TableDescription
    described: bool = False
    writers: list[StagedWriter] = field(default_factory=list)
    deleted: list[RowIds] = field(default_factory=list)
    truncated: bool = False

    def change(self, table: int, kind: ChangeKind) -> TableChange | None:
        """What is to be written about the table of this id, when all rows have come; None if nothing changes."""
        for writer in self.writers:
            writer.finish()
        before = self.before
        first = 0 if before is None else before.end
        ids = tuple(column.id for column in self.description.columns)
        rows = inline_rows(self.writers, first, ids)
        files = tuple(file for writer in self.writers for file in writer.files)
        deleted = NO_IDS
        if self.deleted and not self.truncated:
            deleted = self.deleted[0] if len(self.deleted) == 1 else np.sort(np.concatenate(self.deleted))
        if rows is None and not files and not len(deleted) and not self.truncated and not self.described:
            return None
        return TableChange(
            table, 1 if before is None else before.version + 1, kind, first, rows, files, deleted,
            self.truncated, self.description if self.described else None,
        )  # fmt: skip
