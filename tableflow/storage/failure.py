"""What the disk says, as errors for people."""

from __future__ import annotations

import errno

from tableflow.errors import ConnectorError
from tableflow.storage.disk import Disk

_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class StaleStateError(ConnectorError):
    """A file is missing: gone since the state was pinned, so that a newer state may do without, or lost."""

    retryable = True


def missing_file(disk: Disk, name: str) -> StaleStateError:
    """The error for a file that a state names and that is not there."""
    return StaleStateError(
        f"file {name!r} of the database {disk.place!r} is missing",
        detail="a writer removes files that newer versions do without after storage.removal-delay; or it was lost",
        hint="run the statement again; if the error stays, restore the file from a copy of the database",
    )


def disk_error(disk: Disk, error: OSError, doing: str) -> ConnectorError:
    """The error for a failure of the disk while ``doing`` (a verb phrase)."""
    if error.errno in _FULL:
        return ConnectorError(
            f"database {disk.place!r}: no space is left to {doing}",
            detail="nothing of the statement was kept, what was committed before is safe",
            hint="make room on the disk and run the statement again",
        )
    if error.errno in _READ_ONLY:
        return ConnectorError(
            f"database {disk.place!r} cannot be written",
            detail=f"it was not possible to {doing}: {error.strerror}",
            hint="open it for reading only, or get permission to write in its folder",
        )
    return ConnectorError(
        f"database {disk.place!r}: it was not possible to {doing}", detail=str(error), hint="look at the disk"
    )


def read_only(disk: Disk) -> ConnectorError:
    """The error for a write through a connection that only reads."""
    return ConnectorError(
        f"database {disk.place!r} is open for reading only",
        hint="connect without read_only (on the command line without --read-only) to change it",
    )


def failed(disk: Disk, cause: BaseException | None) -> ConnectorError:
    """The error for a database whose log is in doubt."""
    return ConnectorError(
        f"database {disk.place!r} takes no more changes",
        detail=f"its log could not be repaired after a failed write: {cause}",
        hint="close every connection to it and open it again; what was committed is safe",
    )


def log_is_full(disk: Disk, cause: BaseException | None) -> ConnectorError:
    """The error for a commit to a log that is too long, since it cannot be folded."""
    return ConnectorError(
        f"database {disk.place!r}: its log is too long to take more",
        detail=f"it could not be written into files: {cause}",
        hint="what was committed is safe; correct the cause, and VACUUM",
    )


def taken_back(disk: Disk) -> ConnectorError:
    """The error for a transaction that built on a commit which failed."""
    error = ConnectorError(
        f"database {disk.place!r}: the statement began on top of a commit that failed",
        detail="nothing of it was kept",
        hint="run it again",
    )
    error.retryable = True
    return error
