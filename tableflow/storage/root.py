"""The root: one file that names everything else, replaced in one step.

Two lines: a checksum, and JSON with the version of the format, the sequence of the last commit that it contains, the catalog, the manifest of every
table, and the log to read from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field

from tableflow.catalog.change import EMPTY, Schemas
from tableflow.catalog.snapshot import SchemaEntries
from tableflow.errors import ConnectorError, SerializationError
from tableflow.records import dataclass
from tableflow.serialization import decode, encode
from tableflow.storage.damage import HINT, checksum, damaged
from tableflow.storage.disk import Disk
from tableflow.storage.format_version import FORMAT_VERSION, KEY, check_format

ROOT = "root"
_NEW = "root.new"


@dataclass(frozen=True, slots=True)
class Root:
    """``log`` is the number of the log whose first record is commit ``sequence`` + 1."""

    sequence: int = 0
    log: int = 1
    next_table: int = 1
    manifests: Mapping[int, str] = field(default_factory=dict)
    schemas: Schemas = field(default_factory=lambda: EMPTY)


def write_root(disk: Disk, root: Root) -> None:
    """Puts a root in place, durably."""
    document = {
        KEY: FORMAT_VERSION,
        "sequence": root.sequence,
        "log": root.log,
        "next_table": root.next_table,
        "manifests": {str(table): name for table, name in root.manifests.items()},
        "schemas": [
            {"name": schema.name, "entries": [encode(entry) for entry in schema.permanent.values()]}
            for schema in root.schemas.values()
        ],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    file = disk.create(_NEW)
    try:
        file.write(b"%016x\n" % checksum(text) + text + b"\n")
        file.sync()
    finally:
        file.close()
    disk.rename(_NEW, ROOT)
    disk.sync_folder("")


def read_root(disk: Disk) -> Root:
    """The root of the database; :class:`~tableflow.errors.ConnectorError` if it is missing or damaged."""
    try:
        content = disk.read(ROOT)
    except FileNotFoundError:
        raise ConnectorError(
            f"database {disk.place!r} has no file 'root'", detail="it says where everything else is", hint=HINT
        ) from None
    head, _, rest = content.partition(b"\n")
    text = rest.removesuffix(b"\n")
    if head != b"%016x" % checksum(text):
        raise damaged(ROOT, "its checksum does not fit", f"in the database {disk.place!r}")
    try:
        document = json.loads(text)
        check_format(disk, document, ROOT)
        schemas = {}
        for each in document["schemas"]:
            entries = {entry.name.lower(): entry for entry in map(decode, each["entries"])}
            schemas[each["name"].lower()] = SchemaEntries(each["name"], entries)
        manifests = {int(table): name for table, name in document["manifests"].items()}
        return Root(document["sequence"], document["log"], document["next_table"], manifests, schemas)
    except (KeyError, TypeError, ValueError, AttributeError, SerializationError) as error:
        raise damaged(ROOT, "it cannot be understood", str(error)) from error
