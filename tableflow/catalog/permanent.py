"""What outlives a session: the protocol between the catalog store and whatever keeps permanent objects."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from tableflow.catalog.change import EMPTY, CatalogChange, Schemas, apply_change
from tableflow.catalog.entry import TableEntry
from tableflow.catalog.provider import TableProvider
from tableflow.errors import InternalError

Decide: TypeAlias = Callable[[Schemas], Sequence[CatalogChange]]
"""Changes that follow from what there is; none if all is well as it is; raises if they are not allowed.

It may be asked several times; only the last answer counts.
"""


class PinnedCatalog(Protocol):
    """Permanent objects at one moment."""

    @property
    def schemas(self) -> Schemas:
        """All schemas."""
        ...

    def managed(self, entry: TableEntry) -> TableProvider:
        """The provider of a managed table, as of this moment."""
        ...


class PermanentCatalog(Protocol):
    """Permanent objects; several sessions may share them."""

    @property
    def durable(self) -> bool:
        """Whether they outlive the session."""
        ...

    def pin(self) -> PinnedCatalog:
        """What there is now."""
        ...

    def change(self, decide: Decide) -> None:
        """Carries out what ``decide`` says of the newest state; nobody changes it between the two."""
        ...


class _Pinned:
    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas

    def managed(self, entry: TableEntry) -> TableProvider:
        raise InternalError(f"table {entry.name!r} is managed, and there is no database")


class UnstoredCatalog:
    """Permanent objects of a catalog without a database: they live as long as it does."""

    durable = False

    def __init__(self) -> None:
        self._schemas = EMPTY
        self._lock = threading.Lock()

    def pin(self) -> PinnedCatalog:
        """See :class:`PermanentCatalog`."""
        return _Pinned(self._schemas)

    def change(self, decide: Decide) -> None:
        """See :class:`PermanentCatalog`."""
        with self._lock:
            schemas = self._schemas
            for change in decide(schemas):
                schemas = apply_change(schemas, change)
            self._schemas = schemas
