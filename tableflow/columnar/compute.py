"""pyarrow's compute functions, by the names that it gives them.

Its module writes a wrapper and a docstring for each of its hundreds of functions when it is loaded, which a query that needs none
of them should not wait for: it is loaded when the first function is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)  # the interpreter's questions about a module are not for functions
    found = getattr(importlib.import_module("pyarrow.compute"), name)
    globals()[name] = found  # asked for once
    return found


def later(name: str) -> Callable[..., Any]:
    """The function of a name, for tables of functions: it is looked up when it is called."""

    def called(*args: Any, **named: Any) -> Any:
        return getattr(importlib.import_module("pyarrow.compute"), name)(*args, **named)

    return called
