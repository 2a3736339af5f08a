"""One small interface over the engines that are compared: views over the files, a query in, an Arrow table out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa


class Engine(ABC):
    """An engine with some Parquet files as its tables."""

    name: str

    @abstractmethod
    def run(self, sql: str) -> pa.Table:
        """Plans and runs a query to its last row."""


class TableFlow(Engine):
    """Our engine, through its DB-API connection."""

    name = "tableflow"

    def __init__(self, files: Mapping[str, Path], threads: int, settings: Mapping[str, str] | None = None) -> None:
        import tableflow

        self._connection = tableflow.connect(settings={"parallelism.default": str(threads), **(settings or {})})
        cursor = self._connection.cursor()
        for table, path in files.items():
            cursor.execute(f"CREATE TEMPORARY VIEW {table} AS SELECT * FROM '{path}'")

    def run(self, sql: str) -> pa.Table:
        """Plans and runs a query."""
        cursor = self._connection.cursor()
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


class DuckDB(Engine):
    """DuckDB over the same files."""

    name = "duckdb"

    def __init__(self, files: Mapping[str, Path], threads: int) -> None:
        import duckdb

        self._connection = duckdb.connect(config={"threads": threads})
        for table, path in files.items():
            self._connection.execute(f"CREATE VIEW {table} AS SELECT * FROM '{path}'")

    def run(self, sql: str) -> pa.Table:
        """Plans and runs a query."""
        table: Any = self._connection.sql(sql).to_arrow_table()
        return table


class Polars(Engine):
    """Polars through its SQL over the same files; the thread count is that of its own environment variable."""

    name = "polars"

    def __init__(self, files: Mapping[str, Path], threads: int) -> None:
        os.environ.setdefault("POLARS_MAX_THREADS", str(threads))
        import polars as pl

        self._context = pl.SQLContext({table: pl.scan_parquet(path) for table, path in files.items()})

    def run(self, sql: str) -> pa.Table:
        """Plans and runs a query."""
        return self._context.execute(sql.rstrip().removesuffix(";")).collect().to_arrow()


def open_engine(
    name: str, files: Mapping[str, Path], threads: int, settings: Mapping[str, str] | None = None
) -> Engine:
    """The engine of this name over files by table; the settings are TableFlow's."""
    match name:
        case "tableflow":
            return TableFlow(files, threads, settings)
        case "duckdb":
            return DuckDB(files, threads)
        case "polars":
            return Polars(files, threads)
    raise ValueError(f"unknown engine {name!r}: tableflow, duckdb, polars")
