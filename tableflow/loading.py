"""What loading many modules at once needs.

Invariant: what was so before is so again, whatever happens inside.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection(*, for_good: bool = False) -> Iterator[None]:
    """Garbage is not looked for inside: what modules make stays, and going through it again and again is an eighth of a start.

    What there is in the end counts as old, and is not gone through soon.  ``for_good``: never again.  That is for processes of ours:
    in another's, what it holds by then would never be found to be garbage.
    """
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if for_good:
            gc.freeze()
        elif not gc.get_freeze_count():  # nobody else has frozen anything
            gc.freeze()
            gc.unfreeze()  # into the oldest generation, at no cost
        if wanted:
            gc.enable()
