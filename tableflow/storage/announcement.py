"""How far the log is durable, said by its writer to readers in other processes.

A record is in the file before it is synced, and should the machine stop in between it may never have been.  So the writer
writes the newest durable sequence into a small file after each sync, before it acknowledges anything, and readers take no
record beyond it.  The file is never synced itself: it counts only as long as the machine that wrote it runs
(its *boot*).  What is found in the log after another start was on the disk, so all of it counts; likewise where the boot is
not known or another machine's, which is all that can be said there.

A reader asks after it has read a record: if nobody has announced anything by then since the machine started, nobody
had written that record since then either.
"""

from __future__ import annotations

import contextlib
import struct

from tableflow.storage.damage import checksum
from tableflow.storage.disk import Disk, Writable

SYNCED = "synced"
_CONTENT = struct.Struct("<48sQ")
_LOOKS = 50


class Announcer:
    """The writer's side."""

    def __init__(self, disk: Disk, sequence: int) -> None:
        """Begins with a log that is durable up to ``sequence``; :class:`OSError`."""
        self._boot = disk.boot.encode()[:48]
        self._file: Writable | None = None
        if disk.shared:
            try:
                self._file = disk.append(SYNCED)
            except FileNotFoundError:
                self._file = disk.create(SYNCED)
            self._file.overwrite(self._content(sequence))

    def say(self, sequence: int) -> None:
        """Everything up to this is durable.  Should it not be possible to say so, readers see it later."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.overwrite(self._content(sequence))

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def _content(self, sequence: int) -> bytes:
        content = _CONTENT.pack(self._boot, sequence)
        return content + checksum(content).to_bytes(8, "little")


def announced(disk: Disk) -> int | None:
    """The newest sequence that readers may take; None if there is no bound."""
    boot = disk.boot.encode()[:48]
    if not boot:
        return None
    for _ in range(_LOOKS):
        try:
            found = disk.read(SYNCED, 0, _CONTENT.size + 8)
        except FileNotFoundError:
            return None
        content = found[: _CONTENT.size]
        if found[_CONTENT.size :] == checksum(content).to_bytes(8, "little"):  # else it is being written
            said_in, sequence = _CONTENT.unpack(content)
            return int(sequence) if said_in.rstrip(b"\0") == boot else None
    return None
