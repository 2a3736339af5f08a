"""What ``with`` does to a connection or cursor: closes it."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """An object with a ``close`` that may be called twice."""

    def close(self) -> None:
        """Gives everything back."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
