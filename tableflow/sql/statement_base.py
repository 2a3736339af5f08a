"""What all statements have in common."""

from __future__ import annotations

from tableflow.errors import Span
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning: nothing is wrong enough to stop, but the user should know."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What all statements have: their place in the script, and warnings."""

    span: Span | None = None
    warnings: tuple[Notice, ...] = ()
