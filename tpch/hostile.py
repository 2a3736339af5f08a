"""TPC-H's tables and queries over data that engines do not like.

Keys are sparse and shuffled, foreign keys follow Zipf's law with exponent 1.1, of every column that is no part of a primary key 5 % are
NULL, money has 30 digits, rows lie in no order, and every table has another layout of its Parquet file: PLAIN only,
dictionaries only, zstd, one row group, thousands of them.

Two kinds of foreign keys stay as TPC-H has them: those of partsupp, which are its primary key, and the region of a nation, of which
there are 25.  Line numbers count the lines of an order, so that they are a key with it as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tpch.generate import generate
from tpch.queries import TABLES

Integers: TypeAlias = npt.NDArray[np.int64]

EXPONENT = 1.1
NULLS = 0.05
LEAST_ROWS = 100
MONEY = pa.decimal128(30, 2)
_LARGER = 10**18
"""Sums of such prices over 60 million rows, at scale 6, still have at most 38 digits."""
_SPREAD, _KEY_BITS = 0x9E3779B97F4A7, 45
"""Multiplication by an odd number modulo a power of two is a permutation: keys stay unique."""

_MONEY = {"l_extendedprice", "o_totalprice", "ps_supplycost", "p_retailprice", "c_acctbal", "s_acctbal"}
_PRIMARY_KEYS = {
    "customer": ("c_custkey",),
    "lineitem": ("l_orderkey", "l_linenumber"),
    "nation": ("n_nationkey",),
    "orders": ("o_orderkey",),
    "part": ("p_partkey",),
    "partsupp": ("ps_partkey", "ps_suppkey"),
    "region": ("r_regionkey",),
    "supplier": ("s_suppkey",),
}
_SPREAD_KEYS = ("custkey", "orderkey", "partkey", "suppkey")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table's file is written; ``groups``: how many row groups, as far as there are :data:`LEAST_ROWS` for each."""

    groups: int = 1
    dictionary: bool = True
    compression: str = "snappy"
    page_version: str = "1.0"


LAYOUTS = {
    "customer": Layout(dictionary=False, compression="zstd", page_version="2.0"),
    "lineitem": Layout(groups=3000, compression="zstd"),
    "nation": Layout(),
    "orders": Layout(dictionary=False, compression="none"),
    "part": Layout(compression="none", page_version="2.0"),
    "partsupp": Layout(groups=40),
    "region": Layout(),
    "supplier": Layout(groups=100, dictionary=False),
}


def generate_hostile(scale: float, out: Path, seed: int = 1) -> None:
    """Writes ``out/<table>.parquet`` for all tables; tables that are there already are kept."""
    if all((out / f"{table}.parquet").exists() for table in TABLES):
        return
    out.mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng(seed)
    with TemporaryDirectory() as folder:
        plain = Path(folder)
        generate(scale, plain)
        keys = {table: _keys(plain, table) for table in ("customer", "nation", "orders", "partsupp")}
        for table in TABLES:
            _write(
                _hostile(table, pq.read_table(plain / f"{table}.parquet"), keys, dice),
                out / f"{table}.parquet",
                LAYOUTS[table],
            )


def zipf(dice: np.random.Generator, rows: int, among: int) -> Integers:
    """Numbers below ``among``, each as often as Zipf's law says of its rank; which number has which rank is shuffled."""
    share = np.cumsum(np.arange(1, among + 1, dtype=np.float64) ** -EXPONENT)
    ranks = np.searchsorted(share, dice.random(rows) * share[-1], side="right")
    numbers: Integers = dice.permutation(among)[np.minimum(ranks, among - 1)]
    return numbers


def spread(keys: Integers) -> Integers:
    """Other keys for these, far apart and in no order; equal for equal keys."""
    return (keys.astype(np.uint64) * np.uint64(_SPREAD) & np.uint64((1 << _KEY_BITS) - 1)).astype(np.int64)


def _keys(plain: Path, table: str) -> tuple[Integers, ...]:
    columns = list(_PRIMARY_KEYS[table])
    read = pq.read_table(plain / f"{table}.parquet", columns=columns)
    return tuple(read.column(name).to_numpy().astype(np.int64) for name in columns)


def _hostile(table: str, data: pa.Table, keys: dict[str, tuple[Integers, ...]], dice: np.random.Generator) -> pa.Table:
    rows = data.num_rows
    columns: dict[str, Any] = dict(zip(data.column_names, data.columns, strict=True))
    match table:
        case "orders":
            columns["o_custkey"] = _chosen(keys["customer"], dice, rows)[0]
        case "lineitem":
            (order,) = _chosen(keys["orders"], dice, rows)
            columns["l_orderkey"], columns["l_linenumber"] = order, _running_number(order)
            columns["l_partkey"], columns["l_suppkey"] = _chosen(keys["partsupp"], dice, rows)
        case "customer" | "supplier":
            columns[f"{table[0]}_nationkey"] = _chosen(keys["nation"], dice, rows)[0]
    made = {name: _column(table, name, column, rows, dice) for name, column in columns.items()}
    shuffled: pa.Table = pa.table(made).take(pa.array(dice.permutation(rows)))
    return shuffled


def _chosen(keys: tuple[Integers, ...], dice: np.random.Generator, rows: int) -> list[Integers]:
    which = zipf(dice, rows, len(keys[0]))
    return [key[which] for key in keys]


def _running_number(of: Integers) -> npt.NDArray[np.int32]:
    """The how-manyeth of its equals each one is, from 1."""
    order = np.argsort(of, kind="stable")
    ordered = of[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    numbers = np.empty(len(of), np.int32)
    numbers[order] = np.arange(len(of)) - np.repeat(starts, np.diff(np.append(starts, len(of)))) + 1
    return numbers


def _column(table: str, name: str, column: Any, rows: int, dice: np.random.Generator) -> pa.Array:
    if name.endswith(_SPREAD_KEYS):
        column = pa.array(spread(np.asarray(column).astype(np.int64)))
    elif name in _MONEY:
        larger = pc.multiply(pc.cast(column, pa.decimal128(15, 2)), pa.scalar(_LARGER, pa.decimal128(19, 0)))
        column = pc.cast(larger, MONEY)
    elif not isinstance(column, pa.ChunkedArray):
        column = pa.array(column)
    elif pa.types.is_string_view(column.type):
        column = pc.cast(column, pa.string())
    if name not in _PRIMARY_KEYS[table]:
        column = pc.if_else(pa.array(dice.random(rows) < NULLS), pa.scalar(None, column.type), column)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _write(data: pa.Table, path: Path, layout: Layout) -> None:
    pq.write_table(
        data,
        path,
        row_group_size=max(LEAST_ROWS, -(-data.num_rows // layout.groups)),
        use_dictionary=layout.dictionary,
        dictionary_pagesize_limit=1 << 30,  # a dictionary that is given up would leave PLAIN pages
        compression=layout.compression,
        data_page_version=layout.page_version,
        column_encoding=None if layout.dictionary else "PLAIN",
    )
