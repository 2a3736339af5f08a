"""A catalog of declared tables without data, for binding."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import (
    Accepted,
    CatalogObject,
    ColumnDefinition,
    ScanRequest,
    TableProvider,
    TableSchema,
    TableStatistics,
    ViewScope,
)
from tableflow.errors import ConnectorError
from tableflow.types import SqlType

MONEY = types.DecimalType(15, 2)
TPCH = {
    "region": "r_regionkey BIGINT, r_name STRING, r_comment STRING",
    "nation": "n_nationkey BIGINT, n_name STRING, n_regionkey BIGINT, n_comment STRING",
    "supplier": "s_suppkey BIGINT, s_name STRING, s_address STRING, s_nationkey BIGINT, s_phone STRING, "
    "s_acctbal MONEY, s_comment STRING",
    "part": "p_partkey BIGINT, p_name STRING, p_mfgr STRING, p_brand STRING, p_type STRING, p_size INT, "
    "p_container STRING, p_retailprice MONEY, p_comment STRING",
    "partsupp": "ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty INT, ps_supplycost MONEY, ps_comment STRING",
    "customer": "c_custkey BIGINT, c_name STRING, c_address STRING, c_nationkey BIGINT, c_phone STRING, "
    "c_acctbal MONEY, c_mktsegment STRING, c_comment STRING",
    "orders": "o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus STRING, o_totalprice MONEY, o_orderdate DATE, "
    "o_orderpriority STRING, o_clerk STRING, o_shippriority INT, o_comment STRING",
    "lineitem": "l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INT, l_quantity MONEY, "
    "l_extendedprice MONEY, l_discount MONEY, l_tax MONEY, l_returnflag STRING, l_linestatus STRING, l_shipdate DATE, "
    "l_commitdate DATE, l_receiptdate DATE, l_shipinstruct STRING, l_shipmode STRING, l_comment STRING",
}
SMALL = {
    "t": "a INT, b INT, c STRING, d MONEY, e DOUBLE, ts TIMESTAMP, f BOOLEAN",
    "u": "a INT, x BIGINT, y STRING",
    "v": "a INT, b INT, z DATE",
}
_TYPES: dict[str, SqlType] = {
    "INT": types.INT, "BIGINT": types.BIGINT, "STRING": types.STRING, "DATE": types.DATE, "MONEY": MONEY,
    "DOUBLE": types.DOUBLE, "TIMESTAMP": types.TIMESTAMP, "BOOLEAN": types.BOOLEAN,
}  # fmt: skip


class DeclaredTable:
    """A table that has columns, and rows only if a test gives some."""

    bounded = True

    def __init__(self, columns: Sequence[ColumnDefinition], rows: Sequence[tuple] = ()) -> None:
        self.schema = TableSchema(tuple(columns))
        self.rows = rows

    def statistics(self) -> TableStatistics:
        return TableStatistics()

    def accept(self, request: ScanRequest) -> Accepted:
        return Accepted(request)

    def source(self, accepted: Accepted) -> tuple[str, object]:
        return "declared", None


class DeclaredCatalog:
    """Tables and views by name."""

    def __init__(self, tables: dict[str, TableProvider], views: dict[str, str] | None = None) -> None:
        self.tables = tables
        self.views = views or {}

    def table(self, path: Sequence[str]) -> TableProvider | None:
        return self.tables.get(path[-1].lower())

    def view(self, path: Sequence[str]) -> str | None:
        return self.views.get(path[-1].lower())

    def view_scope(self, path: Sequence[str], *, temporary: bool | None = None) -> ViewScope:
        return ViewScope(".".join(path).lower(), self)

    def file(self, path: str, columns: Sequence[ColumnDefinition] = (), options=()) -> TableProvider:
        if not path.endswith(".parquet"):
            if columns:
                return DeclaredTable(columns)
            raise ConnectorError(f"file {path!r} does not exist")
        return self.tables["t"]

    def opened(self, definition: TableDefinition) -> TableProvider:
        raise ConnectorError(f"table {definition.name!r} cannot be looked at")

    def names(self) -> Sequence[str]:
        return [*self.tables, *self.views]

    def current(self) -> str:
        return "default"

    def schema_names(self) -> Sequence[str]:
        return ["default", "other"]

    def objects(self, schema: str) -> Sequence[CatalogObject]:
        if schema != "default":
            return []
        texts = {**dict.fromkeys(self.tables), **self.views}
        return [CatalogObject(name, texts[name]) for name in sorted(texts)]


def declared(text: str, rows: Sequence[tuple] = ()) -> DeclaredTable:
    pairs = (column.split() for column in text.split(", "))
    return DeclaredTable([ColumnDefinition(name, _TYPES[kind]) for name, kind in pairs], rows)


def catalog(views: dict[str, str] | None = None) -> DeclaredCatalog:
    return DeclaredCatalog({name: declared(text) for name, text in (TPCH | SMALL).items()}, views)
