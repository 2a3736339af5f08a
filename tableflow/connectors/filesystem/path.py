"""Paths: a file, a directory or a glob to the files it means, each pinned by size and modification time."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from tableflow.columnar._native import file_version
from tableflow.connectors.reading import read_error
from tableflow.errors import ConnectorError
from tableflow.nearest import nearest
from tableflow.records import dataclass
from tableflow.serialization import serializable

GROWING = -1
"""The modification time of a file that may grow while it is read."""


@serializable
@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was when a query was planned: what is known of its content holds for this version only."""

    path: str
    size: int
    modified: int

    def check(self) -> None:
        """Raises if the file has changed since."""
        if self.modified == GROWING:
            return
        try:
            status = os.stat(self.path)  # noqa: PTH116 - as below; a version need not be made of it for each split
        except OSError as error:
            raise read_error(f"file {self.path!r}", error) from None
        self._compare(status.st_size, status.st_mtime_ns)

    def check_opened(self, fd: int) -> None:
        """Raises if what has been opened under the path is not this version, or no longer."""
        if self.modified != GROWING:
            self._compare(*file_version(fd))

    def _compare(self, size: int, modified: int) -> None:
        if size != self.size or modified != self.modified:
            raise ConnectorError(f"file {self.path!r} was changed while it was being read", hint="run the query again")


class OpenedFile:
    """A version of a file, open for reading as long as somebody holds this."""

    def __init__(self, file: FileVersion) -> None:
        self.descriptor = -1
        self.descriptor = os.open(file.path, os.O_RDONLY)
        file.check_opened(self.descriptor)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class OpenFiles:
    """Files that a scan reads, the last of which stay open from row group to row group; for all its tasks."""

    _KEPT = 4

    def __init__(self) -> None:
        self._opened: dict[FileVersion, OpenedFile] = {}

    def open(self, file: FileVersion) -> OpenedFile:
        """The file; raises if it is not, or no longer, this version, and OSError if it is not there."""
        found = self._opened.get(file)
        if found is not None:
            file.check_opened(found.descriptor)
            return found
        found = OpenedFile(file)
        for oldest in list(self._opened)[: 1 - self._KEPT]:
            self._opened.pop(oldest, None)  # another task may have done so
        self._opened[file] = found
        return found


def stat_file(path: str) -> FileVersion:
    """The version of a file now."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path would be made for nothing
    except OSError as error:
        raise read_error(f"file {path!r}", error) from None
    return FileVersion(path, status.st_size, status.st_mtime_ns)


def expand(path: str, *, suffixes: frozenset[str] | None = None, may_be_empty: bool = False) -> tuple[FileVersion, ...]:
    """The files of a path in order of name.

    A directory means all files below it except those whose name, or a directory's on the way, starts with ``.`` or
    ``_``; with ``suffixes`` only those with one of these endings.  Nothing found is a :class:`ConnectorError`
    unless ``may_be_empty`` and the directory is there.
    """
    local = local_path(path)
    if os.path.isfile(local):  # noqa: PTH113 - a Path would be made for nothing
        return (stat_file(local),)
    if Path(local).is_dir():
        found = _below(local, suffixes)
        if not found and not may_be_empty:
            raise ConnectorError(f"directory {path!r} has no files to read", detail=_wanted(suffixes))
    elif glob.has_magic(local):
        matches = sorted(glob.glob(local, recursive=True))  # noqa: PTH207 - patterns may be absolute
        found = [match for match in matches if Path(match).is_file()]
        if not found:
            raise ConnectorError(f"no file matches {path!r}", hint="** matches any number of directories")
    else:
        raise _missing(path, local)
    return tuple(stat_file(name) for name in found)


def local_path(path: str, done: str = "read") -> str:
    """The path in the local file system; ``done`` is what would be done to it."""
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    elif "://" in path:
        scheme = path.split("://")[0]
        raise ConnectorError(
            f"path {path!r} cannot be {done}",
            detail=f"{scheme} is not a local file system",
            hint="name a file or directory of this machine",
        )
    return os.path.expanduser(path)  # noqa: PTH111 - keeps the spelling of relative paths


def _below(directory: str, suffixes: frozenset[str] | None) -> list[str]:
    found: list[str] = []
    for root, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name[0] not in "._")
        for name in sorted(names):
            if name[0] not in "._" and (suffixes is None or suffix(name) in suffixes):
                found.append(os.path.join(root, name))  # noqa: PTH118
    return found


def suffix(path: str) -> str:
    """The lower-case ending of a file name without the dot; empty if there is none."""
    return os.path.splitext(path)[1].lower().removeprefix(".")  # noqa: PTH122 - as above


def _wanted(suffixes: frozenset[str] | None) -> str | None:
    return None if suffixes is None else f"its format is told by one of the endings {', '.join(sorted(suffixes))}"


def _missing(path: str, local: str) -> ConnectorError:
    parent = Path(local).parent
    hint = None
    if parent.is_dir():
        near = nearest(Path(local).name, sorted(p.name for p in parent.iterdir()))
        if near:
            hint = f"did you mean {str(parent / near) if parent != Path() else near!r}?"
    return ConnectorError(f"file {path!r} does not exist", hint=hint)
