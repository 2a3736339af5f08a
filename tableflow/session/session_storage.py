"""Where a session's tables are: the database that it shares, and one of its own in memory for temporary tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tableflow.catalog.change import CatalogChange, Schemas, apply_change, managed_tables
from tableflow.catalog.entry import TableEntry
from tableflow.catalog.permanent import Decide
from tableflow.config import Settings
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.session.databases import SharedDatabase
from tableflow.storage.database import Database
from tableflow.storage.database_state import DatabaseState
from tableflow.storage.description import ChangeKind
from tableflow.storage.failure import read_only
from tableflow.storage.memory_disk import MemoryDisk
from tableflow.storage.table_state import TableState
from tableflow.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PinnedStates:
    """The states that one statement sees; see :class:`~tableflow.catalog.permanent.PinnedCatalog`."""

    storage: SessionStorage
    state: DatabaseState
    temporary: DatabaseState | None

    @property
    def schemas(self) -> Schemas:
        """Permanent objects."""
        return self.state.schemas

    def managed(self, entry: TableEntry) -> ManagedProvider:
        """The newest version of a table."""
        state = self.temporary if entry.temporary else self.state
        if entry.table is None or state is None:
            raise InternalError(f"table {entry.name!r} is not managed")
        return self.storage.provider(state.table(entry.table), temporary=entry.temporary)

    def within(self, database: Database, state: DatabaseState) -> PinnedStates:
        """The same, but for one database as a transaction has found it."""
        if database is self.storage.shared.database:
            return PinnedStates(self.storage, state, self.temporary)
        return PinnedStates(self.storage, self.state, state)

    def sequence(self, database: Database) -> int:
        """The number of the last commit that is seen."""
        state = self.state if database is self.storage.shared.database else self.temporary
        return -1 if state is None else state.sequence


class SessionStorage:
    """Implements :class:`~tableflow.catalog.permanent.PermanentCatalog`."""

    def __init__(self, shared: SharedDatabase, objects: ObjectStore, settings: Callable[[], Settings]) -> None:
        self.shared = shared
        self.objects = objects
        self.interrupted: Callable[[], bool] = lambda: False
        self.dropping: Callable[[frozenset[int]], None] = lambda _: None
        """Is told of permanent tables that go, when nothing stands against it any more; so their writers can be ended."""
        self.changing: Callable[[frozenset[int]], None] = lambda _: None
        """Is told of permanent tables that the session is about to write to."""
        self._settings = settings
        self._temporary: Database | None = None
        self._providers: dict[tuple[int, bool], ManagedProvider] = {}
        # A session that does nothing must not keep files that a fold has replaced.
        self._end_holding = shared.database.on_fold(self._let_go)

    def of(self, *, temporary: bool) -> Database:
        """The database for temporary tables, or the one for all others."""
        if not temporary:
            return self.shared.database
        if self._temporary is None:
            self._temporary = Database.open(MemoryDisk("temporary tables"), settings=self._settings())
        return self._temporary

    @property
    def durable(self) -> bool:
        """See :class:`~tableflow.catalog.permanent.PermanentCatalog`."""
        return self.shared.durable

    def pin(self) -> PinnedStates:
        """What there is now."""
        temporary = None if self._temporary is None else self._temporary.state()
        return PinnedStates(self, self.shared.database.state(), temporary)

    def provider(self, table: TableState, *, temporary: bool) -> ManagedProvider:
        """The newest version of a table's state; what one statement has found out of it the next need not."""
        key = (table.id, temporary)
        known = self._providers.get(key)
        if known is None or known.state is not table:
            known = ManagedProvider(self.of(temporary=temporary), table, table.at(), self.objects)
            self._providers[key] = known
        return known

    def change(self, decide: Decide) -> None:
        """See :class:`~tableflow.catalog.permanent.PermanentCatalog`; waits for whoever writes to tables that go."""
        if not decide(self.shared.database.state().schemas):
            return
        while True:
            schemas = self.shared.database.state().schemas
            wanted = _going(schemas, decide(schemas))
            self.dropping(wanted)
            with self.begin(self.shared.database, wanted, catalog=True) as transaction:
                changes = decide(transaction.state.schemas)
                if not _going(transaction.state.schemas, changes) <= wanted:
                    continue
                for change in changes:
                    transaction.change_catalog(change)
                transaction.commit(ChangeKind.ALTER)
                return

    def configure(self, change: Callable[[Settings], Settings]) -> None:
        """Changes the settings of the databases: how they are stored is the same for all connections to them."""
        if self.shared.writable:
            for database in filter(None, (self.shared.database, self._temporary)):
                database.configure(change(database.settings))

    def begin(self, database: Database, tables: frozenset[int] = frozenset(), *, catalog: bool = False) -> Transaction:
        """A transaction, when it is its turn; an error if the session only reads."""
        if database is self.shared.database and not self.shared.writable:
            raise read_only(database.disk)
        if tables and database is self.shared.database:
            self.changing(tables)
        return database.transaction(sorted(tables), catalog=catalog, cancelled=self.interrupted)

    def _let_go(self) -> None:
        self._providers = {}

    def close(self) -> None:
        """Gives both databases back."""
        self._end_holding()
        self._let_go()
        self.shared.close()
        if self._temporary is not None:
            self._temporary.close()
            self._temporary = None


def _going(schemas: Schemas, changes: Sequence[CatalogChange]) -> frozenset[int]:
    """Managed tables that the changes drop."""
    after = schemas
    for change in changes:
        after = apply_change(after, change)
    return frozenset(managed_tables(schemas)) - frozenset(managed_tables(after))
