"""An operator context without a runtime."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tableflow.config import Settings


class Unlimited:
    """A reservation that is never refused."""

    bytes = 0

    def resize(self, bytes: int) -> None:
        self.bytes = bytes

    def release(self) -> None:
        self.bytes = 0


class RecordingContext:
    """Counts and reserves without limit."""

    task_index = 0
    parallelism = 1
    batch_rows = 65_536
    settings = Settings()

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()

    def waits(self, what: str | None) -> None:
        """Nobody looks."""

    def count(self, counter: str, by: int = 1) -> None:
        self.counted[counter] += by

    def reserve(self, name: str, bytes: int = 0) -> Unlimited:
        return Unlimited()

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"operators under test do not use {name}")
