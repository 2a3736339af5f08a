"""Several parts of an operator's state as one byte string, and the same part of several states.

times, groups = across(parts)  # of each state its first part, and its second
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence


def join_parts(parts: Sequence[bytes]) -> bytes:
    """The parts with their sizes in front."""
    return b"".join([struct.pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts)), *parts])


def split_parts(state: bytes) -> Iterator[bytes]:
    """What :func:`join_parts` was given."""
    (count,) = struct.unpack_from("<Q", state)
    at = 8 + 8 * count
    for size in struct.unpack_from(f"<{count}Q", state, 8):
        yield state[at : at + size]
        at += size


def across(states: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """What :func:`join_parts` was given for each of the states, part by part; states that are empty are left out."""
    return zip(*(split_parts(state) for state in states if state), strict=True)


def least(times: Sequence[bytes]) -> int:
    """The least of times that were saved as eight bytes: how far all have come."""
    return min([int.from_bytes(time, "little", signed=True) for time in times])
