"""One small interface over the engines that are compared: views over the files, a query in, an Arrow table out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tpch.queries import TABLES, query_text


class Engine(ABC):
    """An engine with the eight tables of one data directory."""

    name: str

    @abstractmethod
    def run(self, number: int, seed: int = 0) -> pa.Table:
        """Plans and runs query ``number`` to its last row; ``seed`` is as in :func:`~tpch.queries.query_text`."""


class TableFlow(Engine):
    """Our engine, through its DB-API connection."""

    name = "tableflow"

    def __init__(self, data: Path, threads: int, settings: Mapping[str, str] | None = None) -> None:
        import tableflow

        self._connection = tableflow.connect(settings={"parallelism.default": str(threads), **(settings or {})})
        cursor = self._connection.cursor()
        for table in TABLES:
            cursor.execute(f"CREATE TEMPORARY VIEW {table} AS SELECT * FROM '{data / table}.parquet'")

    def run(self, number: int, seed: int = 0) -> pa.Table:
        """Plans and runs query ``number``."""
        cursor = self._connection.cursor()
        cursor.execute(query_text(number, seed))
        return cursor.fetch_arrow_table()


class DuckDB(Engine):
    """DuckDB over the same files."""

    name = "duckdb"

    def __init__(self, data: Path, threads: int) -> None:
        import duckdb

        self._connection = duckdb.connect(config={"threads": threads})
        for table in TABLES:
            self._connection.execute(f"CREATE VIEW {table} AS SELECT * FROM '{data / table}.parquet'")

    def run(self, number: int, seed: int = 0) -> pa.Table:
        """Plans and runs query ``number``."""
        table: Any = self._connection.sql(query_text(number, seed)).to_arrow_table()
        return table


class Polars(Engine):
    """Polars through its SQL over the same files; the thread count is that of its own environment variable."""

    name = "polars"

    def __init__(self, data: Path, threads: int) -> None:
        os.environ.setdefault("POLARS_MAX_THREADS", str(threads))
        import polars as pl

        self._context = pl.SQLContext({table: pl.scan_parquet(data / f"{table}.parquet") for table in TABLES})

    def run(self, number: int, seed: int = 0) -> pa.Table:
        """Plans and runs query ``number``."""
        return self._context.execute(query_text(number, seed).rstrip().removesuffix(";")).collect().to_arrow()


def open_engine(name: str, data: Path, threads: int) -> Engine:
    """The engine of this name over the files in ``data``."""
    match name:
        case "tableflow":
            return TableFlow(data, threads)
        case "duckdb":
            return DuckDB(data, threads)
        case "polars":
            return Polars(data, threads)
    raise ValueError(f"unknown engine {name!r}: tableflow, duckdb, polars")
