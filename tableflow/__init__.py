"""TableFlow: one SQL engine for tables that are finished and tables that are not."""

from __future__ import annotations

__version__ = "0.1.0"
