"""Texts in pages of snappy, of which the first long one tells which loop decompresses the others: both give the same, and fail for the same."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.errors import TableFlowError
from tableflow.session import Session

ROWS = 6_000


def texts(kind: str) -> list[str | None]:
    """Texts in which literals, near and far copies of all lengths follow each other."""
    of = random.Random(kind)
    words = ["".join(of.choices("abcdefgh ж/", k=of.randrange(1, 40))) for _ in range(300)]
    match kind:
        case "runs":
            return [of.choice("ab") * of.randrange(200) for _ in range(ROWS)]
        case "periods":
            return [of.choice(words)[: of.randrange(1, 20)] * of.randrange(12) for _ in range(ROWS)]
        case "words":
            return [None if i % 11 == 5 else "".join(of.choices(words, k=of.randrange(5))) for i in range(ROWS)]
        case "chance":
            return ["".join(chr(of.randrange(32, 1000)) for _ in range(of.randrange(150))) for _ in range(ROWS)]
        case _:
            return ["", *[words[0] * 300 for _ in range(40)], *["x" * i for i in range(1000)]]


def read(path: Path) -> list[str | None]:
    session = Session({"parallelism.default": "1"})
    try:
        result = session.execute(f"SELECT t FROM '{path}'").result
        assert result is not None
        found: list[str | None] = []
        while (batch := result.next_batch()) is not None:
            found += batch.columns[0].to_pylist()
        return found
    finally:
        session.close()


def write(path: Path, values: list[str | None], page: int = 5_000) -> None:
    pq.write_table(pa.table({"t": values}), path, use_dictionary=False, data_page_size=page, compression="snappy")


@pytest.mark.parametrize("page", [5_000, 200_000])  # in long pages both loops are tried
@pytest.mark.parametrize("kind", ["runs", "periods", "words", "chance", "long"])
def test_texts_are_what_was_written(tmp_path: Path, kind: str, page: int) -> None:
    write(tmp_path / "t.parquet", texts(kind), page)
    assert read(tmp_path / "t.parquet") == texts(kind)


def test_damage_is_an_error_or_other_texts(tmp_path: Path) -> None:
    """Never more: reading stays inside the pages."""
    path = tmp_path / "t.parquet"
    write(path, texts("words"))
    whole, of = path.read_bytes(), random.Random(8)
    failed = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(of.randrange(1, 4)):
            damaged[of.randrange(100, len(whole) * 9 // 10)] ^= 1 << of.randrange(8)
        path.write_bytes(damaged)
        with contextlib.suppress(TableFlowError, UnicodeDecodeError):
            read(path)
            continue
        failed += 1
    assert failed > 10
