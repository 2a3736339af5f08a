"""Statements as data: what the binder returns and the session carries out."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from tableflow.catalog.provider import ColumnDefinition
from tableflow.errors import Span
from tableflow.planner.logical.nodes import Query


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


@dataclass(frozen=True, slots=True)
class QueryStatement(Base):
    """A query whose rows are wanted."""

    query: Query


@dataclass(frozen=True, slots=True)
class CreateTable(Base):
    """CREATE TABLE over a connector.  ``options`` hold the connector under the key ``connector``.

    Without columns the connector is asked for them.
    """

    name: tuple[str, ...]
    columns: tuple[ColumnDefinition, ...]
    options: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...] = ()
    partitioned_by: tuple[str, ...] = ()
    comment: str | None = None
    temporary: bool = False
    if_not_exists: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class CreateView(Base):
    """CREATE VIEW; ``text`` is the query that is bound again at each use, column names included."""

    name: tuple[str, ...]
    text: str
    temporary: bool = False
    or_replace: bool = False
    if_not_exists: bool = False


class ObjectKind(enum.Enum):
    """What DROP and SHOW CREATE speak of."""

    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class Drop(Base):
    """DROP TABLE or VIEW."""

    kind: ObjectKind
    name: tuple[str, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class SetStatement(Base):
    """SET key = value; without a key: show all settings."""

    key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class ResetStatement(Base):
    """RESET key; without a key: all settings."""

    key: str | None = None


class ExplainKind(enum.Enum):
    """What EXPLAIN shows; PLAIN is the default rendering of the physical plan."""

    PLAIN = "plain"
    COST = "cost"
    CHANGELOG = "changelog"
    PHYSICAL = "physical"
    LOGICAL = "logical"
    JSON = "json"
    ANALYZE = "analyze"
    WATERMARK = "watermark"


@dataclass(frozen=True, slots=True)
class Explain(Base):
    """EXPLAIN of a query; ``text`` is the query's own text."""

    kind: ExplainKind
    query: Query
    text: str = ""


class ShowKind(enum.Enum):
    """What SHOW lists."""

    TABLES = "tables"
    VIEWS = "views"
    FUNCTIONS = "functions"
    CONNECTORS = "connectors"
    HINTS = "hints"
    SETTINGS = "settings"
    CREATE = "create"


@dataclass(frozen=True, slots=True)
class Show(Base):
    """SHOW; ``name`` and ``object`` only for SHOW CREATE TABLE or VIEW."""

    kind: ShowKind
    name: tuple[str, ...] = ()
    object: ObjectKind | None = None


@dataclass(frozen=True, slots=True)
class Describe(Base):
    """DESCRIBE a table or view, or (``query``) the columns of a query."""

    name: tuple[str, ...] = ()
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Use(Base):
    """USE schema."""

    schema: str


Statement: TypeAlias = (
    QueryStatement | CreateTable | CreateView | Drop | SetStatement | ResetStatement | Explain | Show | Describe | Use
)
