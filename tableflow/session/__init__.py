"""The place that wires all: SQL text to a running job.

Takes statements, gives :class:`Outcome`s; owns the catalog, the settings, the sources and the worker threads of one
connection.  May use every layer below; nothing below knows it.
"""

from tableflow.session.outcome import Outcome, ResultColumn
from tableflow.session.session import Session

__all__ = ["Outcome", "ResultColumn", "Session"]
