"""What a file of the database that is not as it was written ends in: one clear error, and the checksum that tells."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import xxhash

from tableflow.errors import ConnectorError, SerializationError

HINT = "the disk or something other than the database changed it: restore the file from a copy of the database"


def checksum(data: Any) -> int:
    """xxh3 of a buffer, 64 bits; many threads may compute at the same time."""
    return xxhash.xxh3_64_intdigest(data)


def damaged(name: str, what: str, detail: str | None = None) -> ConnectorError:
    """The error for a file whose content is not what was written."""
    return ConnectorError(f"file {name!r} is damaged: {what}", detail=detail, hint=HINT)


@contextmanager
def guarded(name: str, what: str) -> Iterator[None]:
    """Whatever reading this part of a file raises becomes the one clear error."""
    try:
        yield
    except ConnectorError:
        raise
    except OSError as error:  # before Arrow's errors: its own for files are OSErrors too
        if isinstance(error, pa.ArrowException):
            raise damaged(name, what, str(error)) from error
        raise ConnectorError(f"file {name!r} cannot be read", detail=str(error)) from error
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, SerializationError) as error:
        raise damaged(name, what, str(error)) from error
    except (pa.ArrowException, struct.error, MemoryError, NotImplementedError, RecursionError) as error:
        raise damaged(name, what, str(error)) from error
