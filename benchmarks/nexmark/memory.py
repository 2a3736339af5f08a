"""What memory this process has, and had at most."""

from __future__ import annotations

from pathlib import Path

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def megabytes(name: str, *, reset: bool = False) -> float | None:
    """A figure of this process's memory; ``reset``: from now on the peak is that of what follows."""
    try:
        if reset:
            _FORGET.write_text("5")
        found = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    except (OSError, StopIteration):
        return None
    return int(found.split()[1]) / 1024
