"""A table's manifest: everything of its state that is not in the log, in one file that is never changed.

A checksum, then JSON, which begins with the version of the format.  The history lies there column by column, and each description once.  The manifest of a table that could not be
read when the log was folded names the one before, and holds the records of the log that came after it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from itertools import pairwise

from tableflow.errors import ConnectorError, SerializationError
from tableflow.serialization import decode, encode
from tableflow.storage.damage import checksum, damaged
from tableflow.storage.data_file import DataFile
from tableflow.storage.deletes import Deletes
from tableflow.storage.description import ChangeKind, TableDescription
from tableflow.storage.disk import Disk
from tableflow.storage.failure import missing_file
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.format_version import FORMAT_VERSION, KEY, check_format
from tableflow.storage.history import History, Version
from tableflow.storage.key_lookup import MemoryKeys
from tableflow.storage.record import Payload
from tableflow.storage.stored_deletes import stored_layer
from tableflow.storage.table_state import TableState

_KINDS = {kind.value: kind for kind in ChangeKind}


def write_manifest(disk: Disk, name: str, state: TableState) -> None:
    """Writes and syncs a manifest; everything in the state must be in files."""
    _write(disk, name, _document(state))


def write_carried_manifest(disk: Disk, name: str, before: str, payloads: Sequence[Payload]) -> None:
    """Writes and syncs a manifest that says: what ``before`` says, and these records of the log after it."""
    _write(disk, name, {"before": before, "records": [base64.b64encode(each.bytes).decode() for each in payloads]})


def _write(disk: Disk, name: str, document: dict[str, object]) -> None:
    text = json.dumps({KEY: FORMAT_VERSION, **document}, separators=(",", ":")).encode()
    file = disk.create(name)
    try:
        file.write(b"%016x\n" % checksum(text) + text + b"\n")
        file.sync()
    finally:
        file.close()


def read_manifest(disk: Disk, name: str, id: int, opened: Callable[[DataFile, int], FileSegment]) -> TableState:
    """The state that a manifest describes; ``opened`` gives the segment of a file with its first row id."""
    try:
        content = disk.read(name)
    except FileNotFoundError:
        raise missing_file(disk, name) from None
    except OSError as error:
        raise ConnectorError(f"file {name!r} cannot be read", detail=str(error)) from error
    head, _, rest = content.partition(b"\n")
    text = rest.removesuffix(b"\n")
    if head != b"%016x" % checksum(text):
        raise damaged(name, "its checksum does not fit", f"in the database {disk.place!r}")
    try:
        document = json.loads(text)
        check_format(disk, document, name)
        if "before" in document:
            payloads = [Payload(base64.b64decode(each)) for each in document["records"]]
            return _with_records(read_manifest(disk, document["before"], id, opened), payloads)
        history = _history(document)
        segments = tuple(opened(decode(file), first) for file, first in document["segments"])
        layers = [stored_layer(disk, decode(file)) for file in document["deletes"]]
        deletes = Deletes(layers, [(end, version) for end, version in document["truncations"]])
        return TableState(id, disk, segments, deletes, history, MemoryKeys(history.last.end))
    except (KeyError, TypeError, ValueError, IndexError, SerializationError) as error:
        raise damaged(name, "it cannot be understood", str(error)) from error


def _with_records(state: TableState, payloads: Sequence[Payload]) -> TableState:
    for payload in payloads:
        for entry in payload.tables:
            if entry["table"] == state.id and entry["version"] > state.version:
                state = state.applying(payload.change(entry, state.description), payload.time)
    return state


def _document(state: TableState) -> dict[str, object]:
    versions = list(state.history)
    descriptions: list[TableDescription] = [versions[0].description]
    numbers = [0]
    for before, version in pairwise(versions):
        if version.description is not before.description:
            descriptions.append(version.description)
        numbers.append(len(descriptions) - 1)
    segments = []
    for segment in state.segments:
        assert isinstance(segment, FileSegment)
        segments.append([encode(segment.file), segment.first])
    return {
        "descriptions": [encode(description) for description in descriptions],
        "first": versions[0].number,
        "times": [version.time for version in versions],
        "kinds": [version.kind.value for version in versions],
        "ends": [version.end for version in versions],
        "inserted": [version.inserted for version in versions],
        "deleted": [version.deleted for version in versions],
        "rows": [version.rows for version in versions],
        "described": numbers,
        "segments": segments,
        "deletes": [encode(layer.file) for layer in state.deletes.layers],
        "truncations": state.deletes.truncations,
    }


def _history(document: dict[str, list[int]]) -> History:
    descriptions = [decode(each) for each in document["descriptions"]]
    first = document["first"]
    assert isinstance(first, int)
    lines = zip(
        document["times"], document["kinds"], document["ends"], document["inserted"], document["deleted"],
        document["rows"], document["described"], strict=True,
    )  # fmt: skip
    return History(
        [
            Version(first + i, time, _KINDS[str(kind)], end, inserted, deleted, rows, descriptions[described])
            for i, (time, kind, end, inserted, deleted, rows, described) in enumerate(lines)
        ]
    )
