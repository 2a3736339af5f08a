"""The parser of sqlglot that ours derives from, as Python.

sqlglot's compiled build (``sqlglotc``, which other packages may bring) lays binary modules over the same package, and
no class written in Python can be made from a class of these.  Their sources lie beside them, and are loaded instead.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import parser
from sqlglot.parsers import base

__all__ = ["BaseParser"]


def _is_source(module: ModuleType) -> bool:
    return module.__file__ is None or module.__file__.endswith(".py")


def _from_source(of: ModuleType) -> Any:
    """The module made from its source once more, which is known to nobody else."""
    assert of.__file__ is not None
    path = Path(of.__file__).with_name(of.__name__.rpartition(".")[2] + ".py")
    spec = importlib.util.spec_from_file_location(of.__name__, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _interpreted() -> Any:
    """Sqlglot's class, or the same from its source."""
    if _is_source(parser) and _is_source(base):
        return base.BaseParser
    name, package = parser.__name__, vars(sqlglot)
    own = _from_source(parser)
    compiled = sys.modules[name], package["parser"]
    sys.modules[name] = package["parser"] = own  # what the source of the other one imports
    try:
        return _from_source(base).BaseParser
    finally:
        sys.modules[name], package["parser"] = compiled


if TYPE_CHECKING:
    from sqlglot.parsers.base import BaseParser
else:
    BaseParser = _interpreted()
