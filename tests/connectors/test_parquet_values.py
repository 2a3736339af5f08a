"""Conjuncts about texts leave out rows while a file is decoded: by values where there are no codes, by what a try has shown."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow import types as t
from tests.connectors.pruned_scans import scanned
from tests.connectors.test_parquet import call, column, literal

pytestmark = pytest.mark.usefixtures("row_groups_alone")

ROWS = 6000
NAMES = ["text", "n", "word", "skewed"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every 50th text speaks of google; of ``skewed`` nine in ten are empty, the others hardly ever the same."""
    folder = tmp_path_factory.mktemp("values")
    table = pa.table(
        {
            "text": [f"page {i}" + " google" * (i % 50 == 7) if i % 11 else None for i in range(ROWS)],
            "n": range(ROWS),
            "word": ["ab"[i % 2] for i in range(ROWS)],
            "skewed": ["" if i % 10 else f"phrase {i % 900}" for i in range(ROWS)],
        }
    )
    pq.write_table(table, folder / "plain.parquet", use_dictionary=False, row_group_size=2000, data_page_size=3000)
    # The dictionary is full after some pages; the others hold texts.
    options = {"dictionary_pagesize_limit": 4000, "data_page_size": 3000, "write_batch_size": 100}
    pq.write_table(table, folder / "mixed.parquet", row_group_size=2000, **options)
    return folder, table


def like(name, pattern):
    return call("like", column(name, t.STRING), literal(pattern, t.STRING))


@pytest.mark.parametrize("layout", ["plain", "mixed"])
def test_values_are_asked_about(files, layout):
    folder, table = files
    found, counts = scanned(folder / f"{layout}.parquet", NAMES, [like("text", "%google%")])
    wanted = [i for i, text in enumerate(table["text"].to_pylist()) if text and "google" in text]
    assert found.equals(table.take(wanted).select(NAMES))
    assert counts["rows_filtered"] == ROWS - len(wanted)


def test_not_for_one_other_column_or_costly_conjuncts(files):
    folder, _ = files
    assert scanned(folder / "plain.parquet", ["text", "n"], [like("text", "%google%")])[1]["rows_filtered"] == 0
    costly = call("regexp_matches", column("text", t.STRING), literal("google", t.STRING))
    assert scanned(folder / "plain.parquet", NAMES, [costly])[1]["rows_filtered"] == 0


def test_one_entry_may_stand_for_most_rows(files):
    folder, _ = files
    present = call("ne", column("skewed", t.STRING), literal("", t.STRING))
    found, counts = scanned(folder / "mixed.parquet", ["n", "skewed"], [present])
    assert found["n"].to_pylist() == [i for i in range(ROWS) if i % 10 == 0]
    assert counts["rows_filtered"] == ROWS * 9 // 10


def test_what_a_try_has_shown_is_not_tried_again(files):
    folder, _ = files
    some = [like("text", "page%"), like("skewed", "%")]
    found, counts = scanned(folder / "plain.parquet", NAMES, some)
    tried = ROWS // 3  # both batches of the first row group
    left_out = [i for i in range(tried) if i % 11 == 0]
    assert counts["rows_filtered"] == len(left_out)
    assert found["n"].to_pylist() == [i for i in range(ROWS) if i not in set(left_out)]


def test_several_conjuncts(files):
    folder, table = files
    some = [like("text", "%google%"), call("eq", column("word", t.STRING), literal("b", t.STRING)), like("skewed", "")]
    for layout in ("plain", "mixed"):
        found, _ = scanned(folder / f"{layout}.parquet", NAMES, some)
        kept = [i for i in range(ROWS) if i % 11 and i % 50 == 7 and i % 2 and i % 10]
        assert set(kept) <= set(found["n"].to_pylist())
        assert found.equals(table.take(found["n"].to_pylist()).select(NAMES))


@pytest.mark.parametrize("use_dictionary", [False, True])
def test_texts_of_every_length(tmp_path, use_dictionary):
    table = pa.table({"text": [chr(97 + i % 26) * (i * 7 % 300) for i in range(900)], "n": range(900)})
    options = {"use_dictionary": use_dictionary, "dictionary_pagesize_limit": 20_000, "write_batch_size": 50}
    pq.write_table(table, tmp_path / "t.parquet", data_page_size=4000, **options)
    assert scanned(tmp_path / "t.parquet", ["text", "n"], [], 350)[0].equals(table)
