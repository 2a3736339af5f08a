"""Python's cyclic garbage collector, held back where it would only get in the way.

Binding and planning make tens of thousands of small objects in a few milliseconds and drop nearly all of them again, without
its help.  A collection in between finds nothing, takes longer than planning, and ages what is about to be dropped.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_held() -> Iterator[None]:
    """No automatic collection begins inside, in any thread; afterwards it is as it was."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
