"""Several parts of an operator's state as one byte string."""

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
