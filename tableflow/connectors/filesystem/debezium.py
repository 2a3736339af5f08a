"""Messages of Debezium into rows with weights: natively where they are plain, message by message where they are not.

A message has rows ``before`` and ``after`` and an ``op``, or has them in its ``payload``: ``c`` and ``r`` add a row, ``d`` takes one back, ``u``
does both, in that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.kernels.text import JsonLines
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.json_block import loads
from tableflow.connectors.filesystem.json_row import RowDecoder
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import line_of
from tableflow.connectors.filesystem.text_rows import Decoded, Rows, first_lines, native_pieces
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import ConnectorError

_WEIGHTS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "c": (("after", 1),),
    "r": (("after", 1),),
    "u": (("before", -1), ("after", 1)),
    "d": (("before", -1),),
}
_UPDATE, _DELETE = (list(_WEIGHTS).index(op) for op in "ud")
Weights = npt.NDArray[np.int64]
_Changes = tuple[list[pa.Array], Weights]


class DebeziumParser:
    """Parses blocks of messages of one file into rows of some columns, and their weights."""

    def __init__(
        self, file: FileVersion, columns: Sequence[FileColumn], options: Mapping[str, Any], representation: str
    ) -> None:
        self._file = file
        self._representation = representation
        self._lenient = bool(options.get("json.ignore-parse-errors"))
        complete = bool(options.get("json.fail-on-missing-field"))
        fields = [(column.key[0], column.type) for column in columns]
        self._types = [column.type for column in columns]
        self._rows = RowDecoder(fields, lenient=self._lenient, complete=complete)
        row = t.RowType(tuple(t.RowField(name, of) for name, of in fields))
        message = [("before", row), ("after", row), ("op", t.STRING)]
        payload = t.RowType(tuple(t.RowField(name, of) for name, of in message))
        self._native = None if complete else JsonLines.of([*message, ("payload", payload)])

    def parse(self, offset: int, data: bytes | memoryview) -> tuple[Rows, Weights]:
        """The changes of a block of whole lines, which are UTF-8."""
        pieces: list[_Changes] = []
        whole = [(0, len(data), None)]
        for begin, end, decoded in whole if self._native is None else native_pieces(self._native, data, first_lines):
            found = None if decoded is None else _changes(decoded, len(self._types))
            pieces.append(self._decode(offset + begin, bytes(data[begin:end])) if found is None else found)
        columns = [
            column_from_arrow(_joined([arrays[i] for arrays, _ in pieces], of), of, of, self._representation)
            for i, of in enumerate(self._types)
        ]
        weights = np.concatenate([np.empty(0, np.int64), *(weights for _, weights in pieces)])
        return Rows(columns, len(weights)), weights

    def _decode(self, offset: int, data: bytes) -> _Changes:
        """All changes of the lines; a line that is wrong is an error that names it."""
        rows: list[list[Any]] = []
        weights: list[int] = []
        position = 0
        for line in data.split(b"\n"):
            if line.strip():
                try:
                    for row, weight in self._message(loads(line)):
                        rows.append(row)
                        weights.append(weight)
                except ValueError as error:
                    if not self._lenient:
                        shown = line[:200].decode(errors="replace").rstrip("\r")
                        raise ConnectorError(
                            f"file {self._file.path!r}, line {line_of(self._file, offset + position)}, is no change",
                            detail=f"{error}; the line is {shown!r}",
                            hint="'json.ignore-parse-errors' = 'true' skips such lines",
                        ) from None
            position += len(line) + 1
        arrays = [pa.array([row[i] for row in rows], canonical(of)) for i, of in enumerate(self._types)]
        return arrays, np.array(weights, np.int64)

    def _message(self, message: Any) -> list[tuple[list[Any], int]]:
        if isinstance(message, dict) and isinstance(message.get("payload"), dict):
            message = message["payload"]  # as connectors write it with a schema
        op = message.get("op") if isinstance(message, dict) else None
        if not isinstance(op, str) or op not in _WEIGHTS:
            raise ValueError("an object with 'op' c, r, u or d is expected")
        found = []
        for side, weight in _WEIGHTS[op]:
            if message.get(side) is None:
                raise ValueError(
                    f"a change of kind {op!r} needs {side!r}"
                    + (": the database is to log whole rows (REPLICA IDENTITY FULL)" if side == "before" else "")
                )
            found.append((self._rows.decode(message[side]), weight))
        return found


def _changes(decoded: Decoded, columns: int) -> _Changes | None:
    """The rows and weights of messages that were decoded; None if one is no change, or only some have a payload."""
    parts, length = [column.array for column in decoded[0]], decoded[1]
    if parts[3].null_count not in {0, length}:
        return None
    before, after, op = parts[:3] if parts[3].null_count else [parts[3].field(i) for i in range(3)]
    kinds = pc.index_in(op, pa.array(list(_WEIGHTS), pa.string())).fill_null(-1).to_numpy(zero_copy_only=False)
    if not len(kinds) or kinds.min() < 0:
        return None
    going, coming = kinds >= _UPDATE, kinds != _DELETE
    if np.any(going & ~_present(before)) or np.any(coming & ~_present(after)):
        return None
    if not going.any():
        return [after.field(i) for i in range(columns)], np.ones(length, np.int64)
    both = np.stack([going, coming], axis=1).ravel()  # for each message what goes, then what comes
    places = (np.arange(length)[:, None] + np.array([0, length])).ravel()[both]
    weights = np.tile(np.array([-1, 1], np.int64), length)[both]
    taken = pa.array(places)
    return [pa.concat_arrays([before.field(i), after.field(i)]).take(taken) for i in range(columns)], weights


def _present(rows: pa.StructArray) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = rows.is_valid().to_numpy(zero_copy_only=False)
    return found


def _joined(arrays: Sequence[pa.Array], of: t.SqlType) -> pa.Array:
    if len(arrays) == 1:
        return arrays[0]
    return pa.concat_arrays(arrays) if arrays else pa.nulls(0, canonical(of))
