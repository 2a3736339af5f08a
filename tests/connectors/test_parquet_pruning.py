"""Pages pruned by their index, rows by dictionaries: never a row too few."""

import os
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors import Sources, file_provider
from tableflow.connectors.filesystem import parquet_pruning
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.parquet_filter import ScanFilters
from tableflow.connectors.pruning import ColumnRange
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.nodes import Call, ColumnRef, Literal
from tableflow.runtime.source import Done
from tests.connectors.parquet_matrix import bits, every_type
from tests.connectors.pruned_scans import file_column, scanned
from tests.connectors.scanning import batches_of, spec_of, splits_of
from tests.connectors.test_parquet import call, column, literal

pytestmark = pytest.mark.usefixtures("row_groups_alone")


@pytest.fixture
def paged(tmp_path):
    """One row group with 10,000 ascending numbers, in pages of 100 rows; ``text`` has pages of its own."""
    rows = range(10_000)
    table = pa.table(
        {
            "id": pa.array(rows, pa.int64()),
            "text": [f"{i:05}" * 9 for i in rows],
            "gap": pa.array([i if 3000 <= i < 3500 else None for i in rows], pa.int32()),
            "noise": pa.array([i * 7919 % 10_007 for i in rows], pa.int32()),
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, write_page_index=True, max_rows_per_page=100, use_dictionary=["noise"])
    return path


PAGES = [
    (call("eq", column("id"), literal(4242)), 100, range(4242, 4243)),
    (call("and", call("ge", column("id"), literal(150)), call("lt", column("id"), literal(250))), 200, range(150, 250)),
    (call("is_not_null", column("gap", t.INT)), 500, range(3000, 3500)),
    (call("eq", column("text", t.STRING), literal("07777" * 9, t.STRING)), 100, range(7777, 7778)),
]


@pytest.mark.parametrize(("predicate", "read", "kept"), PAGES, ids=["eq", "range", "null", "text"])
def test_pages_are_pruned(paged, predicate, read, kept):
    found, counts = scanned(paged, ["id", "text", "gap"], [predicate], 64)
    rows = found["id"].to_pylist()
    assert set(kept) <= set(rows) and len(rows) <= read and rows == list(range(rows[0], rows[0] + len(rows)))
    assert found["text"].to_pylist() == [f"{i:05}" * 9 for i in rows]
    assert counts["rows_pruned_by_page"] == 10_000 - read
    assert counts["rows_filtered"] == read - len(rows)
    assert (counts["native_chunks"], counts["pyarrow_chunks"]) == (3, 0)


def test_pages_far_apart(paged):
    either = call("or", call("lt", column("id"), literal(50)), call("ge", column("id"), literal(9950)))
    found, counts = scanned(paged, ["noise", "id"], [either], 64)
    wanted = [*range(100), *range(9900, 10_000)]
    assert found["id"].to_pylist() == wanted
    assert found["noise"].to_pylist() == [i * 7919 % 10_007 for i in wanted]
    assert counts["rows_pruned_by_page"] == 9800


def test_no_page_matches(paged):
    nothing = call("and", call("gt", column("id"), literal(10)), call("is_null", column("id")))
    found, _ = scanned(paged, ["id"], [nothing])
    assert found.num_rows == 0


def test_resuming_between_pruned_pages(paged):
    either = call("or", call("lt", column("id"), literal(250)), call("ge", column("id"), literal(9850)))
    source = Sources().open(spec_of(file_provider(str(paged)), ["id"], [either]))
    (split,) = splits_of(source)
    whole = [v for batch in batches_of(source, 70) for v in batch.columns[0].array.to_pylist()]
    for taken in range(8):
        reader = source.reader(split, 70)
        head = [v for _ in range(taken) for v in reader.poll().columns[0].array.to_pylist()]
        rest = source.reader(type(split)(split.id, split.definition, reader.offset()), 70)
        while not isinstance(batch := rest.poll(), Done):
            head += batch.columns[0].array.to_pylist()
        assert head == whole


def test_indexes_that_contradict_themselves_are_not_used(paged, monkeypatch):
    from tableflow.connectors.filesystem import parquet_index

    predicate = call("eq", column("id"), literal(4242))
    real = parquet_index.parse_thrift
    damages = (
        lambda fields: {},
        lambda fields: {**fields, 1: fields[1][:-1]},
        lambda fields: {**fields, 1: [dict(one) | {3: 7} if isinstance(one, dict) else one for one in fields[1]]},
        lambda fields: {**fields, 1: 5},
        lambda fields: {**fields, 1: [{1: 0, 3: 10**6}] if isinstance(fields[1][0], dict) else fields[1]},
    )
    for number, damage in enumerate(damages):
        os.utime(paged, ns=(number, number))  # what was found is kept for this version of the file only
        asked = []
        monkeypatch.setattr(
            parquet_index,
            "parse_thrift",
            lambda data, damage=damage, asked=asked: asked.append(1) or damage(real(data)),
        )
        found, counts = scanned(paged, ["id"], [predicate])
        assert found["id"].to_pylist() == [4242]
        assert counts["rows_pruned_by_page"] == 0
        assert asked
    monkeypatch.setattr(parquet_index, "parse_thrift", real)
    os.utime(paged, ns=(99, 99))
    for _ in range(2):
        _, counts = scanned(paged, ["id"], [predicate])
        assert counts["rows_pruned_by_page"] == 9900


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The same rows in files of different layouts, with few values in some columns, clustered in others."""
    rows = 6000
    arrays = every_type(0.1, rows, seed=7)
    arrays["cluster"] = pa.array(np.arange(rows) // 500, pa.int32())
    arrays["small"] = pa.array([Decimalised(v) for v in range(rows)], pa.decimal128(9, 2))
    table = pa.table(arrays)
    folder = tmp_path_factory.mktemp("mixed")
    options = {
        "paged": {
            "write_page_index": True,
            "max_rows_per_page": 150,
            "bloom_filter_options": dict.fromkeys(["i32", "word"], True),
        },
        "plain": {"use_dictionary": False, "data_page_size": 1000},
        "overflowing": {"dictionary_pagesize_limit": 500, "write_batch_size": 60, "data_page_version": "2.0"},
        "groups": {"row_group_size": 700, "store_decimal_as_integer": True},
    }
    for name, one in options.items():
        pq.write_table(table, folder / f"{name}.parquet", **one)
    return folder, table


def Decimalised(v):
    from decimal import Decimal

    return Decimal(v * 31 % 50).scaleb(-2)


NAMES = ["few", "sorted", "cluster", "small", "word", "date", "us", "bool", "f64", "u8", "fixed", "d18", "i32", "text"]


def random_conjunct(random_, arrays):
    name = random_.choice(NAMES)
    of = from_arrow_type(arrays[name].type)
    values = [v for v in file_column(arrays[name].slice(0, 300)) if v is not None]
    ref = ColumnRef(of, NAMES.index(name), name)
    kind = random_.choice(["lt", "ge", "eq", "in", "is_null", "is_not_null", "and", "or"])
    if kind in {"is_null", "is_not_null"}:
        return Call(t.BOOLEAN, kind, (ref,))
    picked = [Literal(of, random_.choice(values)) for _ in range(3)]
    if kind == "in":
        return Call(t.BOOLEAN, "in", (ref, *picked))
    if kind in {"and", "or"}:
        halves = [Call(t.BOOLEAN, op, (ref, one)) for op, one in zip(["le", "gt"], picked, strict=False)]
        return Call(t.BOOLEAN, kind, tuple(halves))
    return Call(t.BOOLEAN, kind, (ref, picked[0]))


@pytest.mark.parametrize("layout", ["paged", "plain", "overflowing", "groups"])
@pytest.mark.parametrize("seed", range(12))
def test_no_matching_row_is_left_out(mixed, layout, seed):
    folder, table = mixed
    random_ = random.Random(seed)
    predicates = [random_conjunct(random_, {name: table[name].combine_chunks() for name in NAMES}) for _ in range(3)]
    path = folder / f"{layout}.parquet"
    names = [*NAMES, "d38", "nan32"]
    kept = filtered(scanned(path, names, predicates[: seed % 3 + 1], 512)[0], predicates)
    wanted = filtered(scanned(path, names, [], 512)[0], predicates)
    assert kept.num_rows == wanted.num_rows
    for name in names:
        assert bits(kept[name].combine_chunks()).equals(bits(wanted[name].combine_chunks())), name


def filtered(table, predicates):
    from tableflow.columnar.representation import from_arrow

    columns = {i: from_arrow(whole(table[name])) for i, name in enumerate(NAMES)}
    mask = np.ones(table.num_rows, bool)
    for one in predicates:
        mask &= evaluate(one, columns, table.num_rows).column.array.fill_null(False).to_numpy(zero_copy_only=False)
    return table.filter(pa.array(mask))


def whole(chunked):
    combined = chunked.combine_chunks()
    return combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined


def test_dictionaries_decide_what_is_decoded(mixed):
    folder, table = mixed
    few = [call("eq", column("few"), literal(3)), call("eq", column("word", t.STRING), literal("a", t.STRING))]
    found, counts = scanned(folder / "groups.parquet", ["text", "few", "word"], few)
    rows = [i for i in range(6000) if table["few"][i].as_py() == 3 and table["word"][i].as_py() == "a"]
    assert found["text"].to_pylist() == [table["text"][i].as_py() for i in rows]
    assert counts["rows_filtered"] == 6000 - len(rows)
    weak = [call("le", column("few"), literal(4))]
    found, counts = scanned(folder / "groups.parquet", ["text", "few"], weak)
    # Only a try can tell, since an entry may stand for any number of rows; one batch is enough.
    assert 0 < counts["rows_filtered"] == 6000 - found.num_rows < 600
    kept = [i for i, value in enumerate(table["few"].to_pylist()) if value is not None and value <= 4]
    assert set(table["text"].take(kept).to_pylist()) <= set(found["text"].to_pylist())


def test_values_decide_where_there_is_no_dictionary(mixed):
    folder, table = mixed
    low = [call("and", call("ge", column("i64"), literal(-(2**59))), call("lt", column("i64"), literal(2**60)))]
    found, counts = scanned(folder / "plain.parquet", ["text", "i64", "nan32"], low, 700)
    rows = [i for i, v in enumerate(table["i64"].to_pylist()) if v is not None and -(2**59) <= v < 2**60]
    assert found["i64"].to_pylist() == [table["i64"][i].as_py() for i in rows]
    assert found["text"].to_pylist() == [table["text"][i].as_py() for i in rows]
    assert counts["rows_filtered"] == 6000 - len(rows) > 4000
    high = [call("ge", column("i64"), literal(-(2**62)))]
    assert scanned(folder / "plain.parquet", ["text", "i64"], high)[1]["rows_filtered"] == 0


def test_a_promise_that_is_not_kept_lets_the_filter_rest(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    numbers = [10**6, *range(20_000)]  # one value far away: statistics promise that few rows are small
    pq.write_table(pa.table({"n": numbers}), path, use_dictionary=False)
    tried = []
    observe = ScanFilters.observe
    monkeypatch.setattr(ScanFilters, "observe", lambda of, *seen: (tried.append(seen), observe(of, *seen))[1])
    found, counts = scanned(path, ["n"], [call("lt", column("n"), literal(20_000))], 1000)
    assert counts["rows_filtered"] == 1
    assert found["n"].to_pylist() == numbers[1:]
    # the first is large, because few rows were promised; of 14 batches the first, second, fourth and eighth
    assert tried == [(8000, 7999), *[(1000, 1000)] * 3]


def test_a_filter_is_tried_again_where_other_rows_begin(tmp_path):
    path = tmp_path / "t.parquet"
    numbers = [*[7] * 1000, *range(1000, 21_000), *[7] * 2000]  # rows that are alike lie together
    pq.write_table(pa.table({"n": numbers, "m": range(len(numbers))}), path, use_dictionary=False)
    found, counts = scanned(path, ["n", "m"], [call("lt", column("n"), literal(500))], 1000)
    assert counts["rows_filtered"] == 20_000
    assert found["m"].to_pylist() == [*range(1000), *range(21_000, 23_000)]


def test_filters_go_by_what_they_were_seen_to_leave(tmp_path):
    path = tmp_path / "t.parquet"
    rows = 4000  # in four row groups
    words = ["" if i % 8 else f"word {i}" for i in range(rows)]  # nearly all entries are accepted, and few rows
    texts = [f"text {i}" if i % 1000 < 50 else "other" for i in range(rows)]  # the other way round
    table = pa.table({"text": texts, "word": words, "n": range(rows), "m": range(rows)})
    pq.write_table(table, path, row_group_size=1000)
    conjuncts = [
        call("eq", column("text", t.STRING), literal("other", t.STRING)),
        call("ne", column("word", t.STRING), literal("", t.STRING)),
    ]
    filters = ScanFilters(
        conjuncts, [FileColumn("text", t.STRING), FileColumn("word", t.STRING), FileColumn("n", t.BIGINT)]
    )

    class Coded:
        def __init__(self, name):
            self.name = name

        def dictionary(self):
            return Column(t.STRING, table[self.name].combine_chunks().unique())

    def order():
        columns = {0: Coded("text"), 1: Coded("word")}
        found = filters.of_group(columns, lambda _, read: read, lambda _: ColumnRange(t.STRING), rows)
        return found, [one.position for one in found]

    found, before = order()
    assert before == [0, 1]
    filters.observe_each(found, 1000, [950, 119])
    assert order()[1] == [1, 0]
    names = ["text", "word", "n", "m"]
    read, counts = scanned(path, names, conjuncts, 1000)
    wanted = [i for i in range(rows) if texts[i] == "other" and words[i]]
    assert read["n"].to_pylist() == wanted
    assert counts["rows_filtered"] == rows - len(wanted)


def test_a_reader_that_gives_up_keeps_all_rows(mixed, monkeypatch):
    from tableflow.columnar.kernels.parquet import open_chunk
    from tableflow.connectors.filesystem import parquet_column

    folder, table = mixed

    class GivesUp:
        def __init__(self, reader):
            self.reader = reader
            self.pages = reader.pages
            self.dictionary = reader.dictionary
            self.skip = reader.skip
            self.read = reader.read

        def read_matching(self, rows, at, accepted):
            if self.reader.left < 3000:
                raise NotImplementedError
            return self.reader.read_matching(rows, at, accepted)

        def read_at(self, rows, at):
            if self.reader.left < 4500:
                raise NotImplementedError
            return self.reader.read_at(rows, at)

    monkeypatch.setattr(parquet_column, "open_chunk", lambda fd, plan, cache: GivesUp(open_chunk(fd, plan, cache)))
    few = [call("eq", column("few"), literal(3))]
    found, counts = scanned(folder / "paged.parquet", ["text", "few"], few, 250)
    kept = [i for i, v in enumerate(found["few"].to_pylist()) if v == 3]
    rows = [i for i in range(6000) if table["few"][i].as_py() == 3]
    assert [found["text"][i].as_py() for i in kept] == [table["text"][i].as_py() for i in rows]
    assert counts["pyarrow_chunks"] == 2


def test_explain_analyze_shows_what_was_read(mixed, tmp_path):
    folder, _ = mixed
    with tableflow.connect() as connection:

        def analyzed(query):
            return "\n".join(row[0] for row in connection.execute(f"EXPLAIN ANALYZE {query}").fetchall())

        text = analyzed(f"SELECT text FROM '{folder}/paged.parquet' WHERE cluster = 3")
        assert "native_chunks 2" in text and "rows_pruned_by_page 5,400" in text and "pyarrow" not in text
        nested = tmp_path / "nested.parquet"
        pq.write_table(pa.table({"a": [1, 2], "l": [[1], [2]]}), nested)
        text = analyzed(f"SELECT * FROM '{nested}'")
        assert "native_chunks 1" in text and "pyarrow_chunks 1" in text


@pytest.mark.parametrize("order", ["any", "sorted", "constant"])
def test_one_look_at_all_row_groups_rules_out_what_looks_at_each_do(tmp_path, order, monkeypatch):
    rng = random.Random(order)
    values = [rng.choice([None, *range(40)]) if order == "any" else i // 20 for i in range(900)]
    if order == "constant":
        values = [7] * 880 + [None] * 20  # the last row group has nothing but NULLs
    path = tmp_path / "t.parquet"
    texts = [None if v is None else f"{v:02}" for v in values]
    pq.write_table(pa.table({"n": pa.array(values, pa.int64()), "s": texts}), path, row_group_size=20)
    provider = file_provider(str(path))
    n, s = column("n"), column("s", t.STRING)

    def drawn():
        name = rng.choice(["eq", "lt", "le", "gt", "ge"])
        return rng.choice(
            [
                lambda: call(name, n, literal(rng.randrange(-2, 45))),
                lambda: call(name, s, literal(f"{rng.randrange(45):02}", t.STRING)),
                lambda: call(rng.choice(["is_null", "is_not_null"]), rng.choice([n, s])),
                lambda: call("in", n, *[literal(rng.randrange(60)) for _ in range(rng.choice([1, 3, 30]))]),
                lambda: call(rng.choice(["and", "or"]), drawn(), drawn()),
            ]
        )()

    looks = Counter()
    at_once = parquet_pruning._may_be_everywhere

    def counted(*arguments):
        found = at_once(*arguments)
        looks[found] += 1
        return found

    for _ in range(60):
        predicates = [drawn() for _ in range(rng.choice([1, 2]))]
        with monkeypatch.context() as patch:
            patch.setattr(parquet_pruning, "_may_be_everywhere", counted)
            found = [one.definition for one in splits_of(Sources().open(spec_of(provider, ["n", "s"], predicates)))]
            patch.setattr(parquet_pruning, "_may_be_everywhere", lambda *_: False)
            each = [one.definition for one in splits_of(Sources().open(spec_of(provider, ["n", "s"], predicates)))]
        assert found == each, predicates
    assert looks[False]
    assert looks[True] > 10 if order == "any" else looks[True] < 10, looks


def test_columns_of_an_or_are_filtered_one_by_one(tmp_path):
    path = tmp_path / "t.parquet"
    rows = [(i % 20, f"w{i % 7}", i) for i in range(4000)]
    pq.write_table(pa.table(dict(zip(["n", "w", "m"], map(list, zip(*rows, strict=True)), strict=True))), path)
    arms = [
        call("and", call("eq", column("n"), literal(n)), call("eq", ColumnRef(t.STRING, 2, "w"), Literal(t.STRING, w)))
        for n, w in ((3, "w1"), (4, "w2"))
    ]
    found, counts = scanned(path, ["n", "w", "m"], [call("or", *arms)])
    wanted = [row for row in rows if row[0] in (3, 4) and row[1] in ("w1", "w2")]
    assert list(zip(*(found[name].to_pylist() for name in ("n", "w", "m")), strict=True)) == wanted
    assert counts["rows_filtered"] == 4000 - len(wanted) > 3500
