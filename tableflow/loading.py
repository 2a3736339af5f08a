"""What loading many modules at once needs.

Invariant: what was so before is so again, whatever happens inside.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


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


_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


@contextmanager
def without_blas_threads() -> Iterator[None]:
    """numpy, if it is loaded inside, starts no threads for products of matrices, which nobody here forms: each spins for a while.

    For processes of ours.  What they start is told nothing of it.
    """
    if _BLAS_THREADS in os.environ:
        yield
        return
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        os.environ.pop(_BLAS_THREADS, None)


_METADATA = "importlib.metadata"


class _Metadata(ModuleType):
    """Stands for :mod:`importlib.metadata`, which is loaded when one of its functions is called or another name is wanted."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # the interpreter's questions about a module
        if sys.modules.get(_METADATA) is self:
            del sys.modules[_METADATA]
        return getattr(importlib.import_module(_METADATA), name)

    def entry_points(self, **named: Any) -> Any:
        """As there."""
        return self.__getattr__("entry_points")(**named)


@contextmanager
def entry_points_later() -> Iterator[None]:
    """Whoever takes ``entry_points`` from :mod:`importlib.metadata` inside loads it when they are asked for.

    sqlglot does, for dialects that it does not know, and a tenth of a start was to load parsers of zip files and mail with it.
    """
    if _METADATA in sys.modules:
        yield
        return
    stand_in = sys.modules[_METADATA] = _Metadata(_METADATA)
    try:
        yield
    finally:
        if sys.modules.get(_METADATA) is stand_in:
            del sys.modules[_METADATA]
