"""How the writers of a running job are told that it will end at the next epoch."""

from __future__ import annotations

from tableflow.records import dataclass


@dataclass(slots=True)
class SinkControl:
    """``ending``: what a writer keeps open until it is large enough is to be completed at the next epoch."""

    ending: bool = False
