"""What a folder is: the file that says so, and its format version."""

from __future__ import annotations

import json

from tableflow.errors import CatalogError
from tableflow.storage.damage import damaged
from tableflow.storage.disk import Disk
from tableflow.storage.format_version import FORMAT_VERSION, KEY, check_format

IDENTITY = "tableflow.json"
_EXPECTED = frozenset({"lease", "root.new", "root"})


def write_identity(disk: Disk) -> None:
    """Says, durably, that the folder is a database.  It is written last: before that there is none."""
    text = json.dumps({"kind": "tableflow database", KEY: FORMAT_VERSION}, indent=2) + "\n"
    new = IDENTITY + ".new"
    file = disk.create(new)
    try:
        file.write(text.encode())
        file.sync()
    finally:
        file.close()
    disk.rename(new, IDENTITY)
    disk.sync_folder("")


def raise_format(disk: Disk) -> None:
    """Makes a database of an older format one of this, before anything is written that an older version would not understand."""
    if json.loads(disk.read(IDENTITY))[KEY] < FORMAT_VERSION:
        write_identity(disk)


def is_database(disk: Disk) -> bool:
    """Whether the folder is a database of a version that is known.

    False for one that is empty or missing, or was about to become a database when its maker stopped.
    :class:`~tableflow.errors.CatalogError` if it holds other things.
    """
    try:
        content = disk.read(IDENTITY)
    except FileNotFoundError:
        return _is_free(disk)
    except NotADirectoryError:
        raise CatalogError(
            f"{disk.place!r} is a file, not a database", hint="a database is a folder: choose another name"
        ) from None
    try:
        document = json.loads(content)
        _ = document[KEY]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(IDENTITY, "it cannot be understood", str(error)) from error
    check_format(disk, document)
    return True


def _is_free(disk: Disk) -> bool:
    names = [name for name in disk.names("") if name not in _EXPECTED and name != IDENTITY + ".new"]
    folders = [name for name in disk.folders("") if name != "log"]
    if names or folders:
        raise CatalogError(
            f"folder {disk.place!r} is not a database",
            detail=f"it holds {(names + folders)[0]!r}, and no {IDENTITY}",
            hint="choose an empty or a new folder",
        )
    return False
