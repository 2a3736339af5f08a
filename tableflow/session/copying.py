"""COPY ... TO: a query's rows into one file, batch by batch.

The file is written under a temporary name beside its own and gets its name when it is complete: a reader never sees half
of it, and a statement that fails leaves what was there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tableflow.connectors.filesystem.file_writers import OPEN
from tableflow.connectors.filesystem.options import WRITTEN
from tableflow.connectors.filesystem.path import local_path
from tableflow.connectors.option import read_options
from tableflow.errors import ConnectorError, Span, TableFlowError
from tableflow.session.outcome import Result


def copy_to(result: Result, path: str, format: str, given: Mapping[str, str], place: Span | None = None) -> int:
    """Writes all rows; how many they were.

    A path that cannot be written to is a :class:`ConnectorError` that points at ``place``, where the path stands.
    """
    options = read_options(f"copy to {format}", WRITTEN[format], given)
    rows = 0
    try:
        wanted = _checked(path, replaces=options["overwrite"])
    except ConnectorError as error:
        raise error.at(place) from None
    except (OSError, ValueError) as error:  # a name that is too long, or has a zero byte
        raise _unwritable(path, error, place) from error
    with _replacing(path, wanted, place) as file:
        try:
            writer = OPEN[format](file, result.schema, options)
        except ConnectorError as error:
            raise error.at(place) from None
        try:
            while (batch := result.next_batch()) is not None:
                writer.write(batch)
                rows += batch.num_rows
        except BaseException:
            with contextlib.suppress(OSError, pa.ArrowException):
                writer.finish()  # into a file that is thrown away: writers want to be closed before it is
            raise
        writer.finish()
    return rows


def _checked(path: str, *, replaces: bool) -> Path:
    """The file that a path means; an error if it is clear that it cannot be written."""
    wanted = Path(local_path(path, "written"))
    if not wanted.name:
        raise ConnectorError(f"{path!r} is no path of a file")
    if wanted.is_dir():
        raise ConnectorError(f"{path!r} is a directory", hint="COPY writes one file: name it")
    if not wanted.parent.is_dir():
        raise ConnectorError(
            f"file {path!r} could not be written",
            detail=f"there is no directory {str(wanted.parent)!r}",
            hint="make it first",
        )
    if not replaces and wanted.exists():
        raise ConnectorError(f"file {path!r} exists", hint="leave OVERWRITE false out to replace it")
    return wanted


def _unwritable(path: str, error: Exception, place: Span | None) -> ConnectorError:
    reason = getattr(error, "strerror", None) or str(error)
    return ConnectorError(f"file {path!r} could not be written", detail=reason, span=place)


@contextlib.contextmanager
def _replacing(path: str, wanted: Path, place: Span | None) -> Iterator[Any]:
    """A new file that takes the path's place when all went well."""
    temporary = wanted.with_name(f".{wanted.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(wanted)
    except TableFlowError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: a zero byte in the name
        raise _unwritable(path, error, place) from error
    finally:
        with contextlib.suppress(OSError, ValueError):  # where nothing can be written, nothing was
            temporary.unlink(missing_ok=True)
