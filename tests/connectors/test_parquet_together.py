"""Columns of a row group that are read in one call hold what they hold one by one, whatever filters leave of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.columnar._native import PageCache, ParquetColumnReader, ParquetGroupReader, number_bits
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.parquet import ChunkPlan, open_chunk
from tableflow.connectors import Sources, file_provider
from tableflow.connectors.filesystem import parquet_column
from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.parquet_reader import pieces
from tableflow.connectors.filesystem.parquet_together import ColumnsTogether
from tableflow.connectors.filesystem.path import stat_file
from tableflow.connectors.reading import ChunkReader
from tableflow.expressions.nodes import Call, ColumnRef, Literal
from tableflow.types import BIGINT, BOOLEAN
from tests.connectors.scanning import rows_of, scan, spec_of, splits_of

ROWS = 3_000
WORDS = ["red", "green", "blue", None]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several pages a column; ``k`` and ``price`` without, ``word`` and ``day`` with a dictionary; ``k``, ``word`` with NULLs."""
    rng = np.random.default_rng(3)
    table = pa.table(
        {
            "k": pa.array(rng.integers(-500, 500, ROWS), mask=rng.random(ROWS) < 0.1),
            "word": [WORDS[i] for i in rng.integers(0, 4, ROWS)],
            "price": rng.random(ROWS),
            "day": pa.array(rng.integers(0, 30, ROWS).astype(np.int32)).cast(pa.date32()),
        }
    )
    path = tmp_path_factory.mktemp("files") / "t.parquet"
    pq.write_table(table, path, use_dictionary=["word", "day"], data_page_size=2_000, write_batch_size=200)
    return path


def readers(path: Path) -> list[ParquetColumnReader]:
    footer = read_footer(stat_file(str(path)))
    with path.open("rb") as file:
        plans = [footer.plan(0, column) for column in footer.columns]
        return [open_chunk(file.fileno(), plan) for plan in plans if plan is not None]


@pytest.mark.parametrize("step", [7, 640, ROWS])
@pytest.mark.parametrize(
    "filters", ["", "k", "word", "k word", "word k", "day listed word", "listed", "none", "all", "none day word"]
)
def test_what_is_left_is_what_the_filters_accept(path: Path, step: int, filters: str) -> None:
    whole = pq.read_table(path)
    kept = np.ones(ROWS, bool)
    columns = readers(path)
    group = ParquetGroupReader(columns)
    k = whole["k"].to_pylist()
    for name in filters.split():
        match name:
            case "k":
                group.among(0, -100, 50, None, 0)
                kept &= [v is not None and -100 <= v <= 50 for v in k]
            case "listed":
                group.among(0, -7, 8, number_bits(np.array([-7, 0, 8]), -7, 16), -7)
                kept &= [v in {-7, 0, 8} for v in k]
            case "word":
                entries = pa.array(columns[1].dictionary()).to_pylist()
                group.accept(1, np.array([entry != "green" for entry in entries], np.uint8))
                kept &= [v in {"red", "blue"} for v in whole["word"].to_pylist()]
            case "day":
                days = pa.array(columns[3].dictionary()).cast(pa.int32()).to_numpy()
                group.accept(3, (days < 9).astype(np.uint8))
                kept &= whole["day"].cast(pa.int32()).to_numpy() < 9
            case "none":
                group.among(0, 9, 8, None, 0)
                kept[:] = False
            case "all":
                group.accept(3, np.ones(len(pa.array(columns[3].dictionary())), np.uint8))
    for start in range(0, ROWS, step):
        rows = min(step, ROWS - start)
        vectors, at, done, refused = group.read(rows)
        wanted = np.flatnonzero(kept[start : start + rows])
        assert (len(done), refused) == (len(filters.split()), -1)
        assert (range(rows) if at is None else at.tolist()) == (range(rows) if at is None else wanted.tolist())
        expected = whole.slice(start, rows).take(wanted)
        for name, vector in zip(whole.column_names, vectors, strict=True):
            assert pa.array(vector).to_pylist() == expected[name].to_pylist(), name


def test_a_column_that_gives_up_is_told_and_the_rest_is_not_read(path: Path) -> None:
    columns = readers(path)
    columns[2].skip(ROWS - 5)
    group = ParquetGroupReader(columns)
    group.among(0, 0, 5, None, 0)
    vectors, at, done, refused = group.read(10)
    assert refused == 2
    assert at is not None
    assert done == [len(at)]
    assert [vector is not None and len(vector) for vector in vectors] == [len(at), len(at), False, False]
    assert columns[3].left == ROWS
    with pytest.raises(IndexError, match="bit"):
        group.among(0, 0, 64, number_bits(np.array([0]), 0, 1), 0)


def test_pyarrow_reads_the_column_that_gives_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_wrongly(fd: int, plan: ChunkPlan, cache: PageCache) -> ParquetColumnReader:
        return open_chunk(fd, replace(plan, codec="lz4_raw") if plan.conversion == "f64" else plan, cache)

    counted: list[bool] = []
    read = ColumnsTogether.read

    def watched(self: ColumnsTogether, rows: int, *, filtered: bool = True):
        found = read(self, rows, filtered=filtered)
        counted.append(found[3])
        return found

    expected = list(zip(*[pq.read_table(path)[name].to_pylist() for name in ("k", "price", "word")], strict=True))
    monkeypatch.setattr(ColumnsTogether, "read", watched)
    assert scan(file_provider(str(path)), ["k", "price", "word"], batch_rows=800) == expected
    assert counted == [True] * 4
    monkeypatch.setattr(parquet_column, "open_chunk", open_wrongly)
    counted.clear()
    assert scan(file_provider(str(path)), ["k", "price", "word"], batch_rows=800) == expected
    assert counted == [False]


@pytest.mark.parametrize("batch_rows", [1, 37, 100])
def test_several_batches_are_read_at_once_and_given_one_by_one(tmp_path: Path, batch_rows: int) -> None:
    path = tmp_path / "t.parquet"
    # the dictionary promises that one row in 40 is left, but rows that are lie together
    values = [i % 40 if i < 2_000 else 7 for i in range(2_500)]
    pq.write_table(pa.table({"v": values, "n": list(range(2_500))}), path, row_group_size=2_500)
    v = ColumnRef(BIGINT, 1, "v")
    conjunct = Call(BOOLEAN, "eq", (v, Literal(BIGINT, 7)))
    source = Sources().open(spec_of(file_provider(str(path)), ["n", "v"], [conjunct]))
    wanted = [i for i, value in enumerate(values) if value == 7]
    (split,) = splits_of(source)

    def rest(offset: object) -> list[tuple[list[int], object]]:
        reader = source.reader(replace(split, offset=offset), batch_rows)
        assert isinstance(reader, ChunkReader)
        found = []
        while isinstance(batch := reader.poll(), Batch):
            assert batch.rows <= batch_rows
            found.append(([n for n, value in rows_of(batch) if value == 7], reader.offset()))
        return found

    given = rest(None)
    assert [n for part, _ in given for n in part] == wanted
    assert len(given) >= len(wanted) // batch_rows
    for i in range(0, len(given), max(1, len(given) // 9)):  # a reader that goes on in the middle gives what is left
        assert [n for part, _ in rest(given[i][1]) for n in part] == [n for part, _ in given[i + 1 :] for n in part]


@pytest.mark.parametrize(("most", "counts"), [(3, [3, 1]), (4, [4]), (5, [4])])
def test_what_fits_a_batch_is_handed_on_as_it_was_decoded(most: int, counts: list[int]) -> None:
    column = Column(BIGINT, pa.array([10, 11, 12, 13]))
    at = np.array([1, 3, 4, 8], np.uint32)
    chunks = list(pieces([column], 4, at, most, 100, 9, None))
    assert [chunk.rows for chunk in chunks] == counts
    assert chunks[-1].resume == 109
    assert [value for chunk in chunks for value in chunk.columns[0].to_pylist()] == [10, 11, 12, 13]
    assert (chunks[0].columns[0] is column) == (len(chunks) == 1)
