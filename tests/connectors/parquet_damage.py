"""Reads column chunks with flipped bytes natively, many times; run in a process of its own."""

import dataclasses
import itertools
import random
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tableflow import types as t
from tableflow.columnar.kernels.parquet import open_chunk
from tableflow.connectors import Sources, file_provider
from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file
from tableflow.errors import ConnectorError
from tableflow.expressions.nodes import Call, ColumnRef, Literal
from tests.connectors.scanning import batches_of, spec_of


def damaged(data, random_, start, end):
    changed = bytearray(data)
    for _ in range(random_.choice([1, 1, 2, 5, 50])):
        # Headers lie at the beginning of a page: half of the changes hit the first bytes of the chunk.
        limit = min(end, start + 60) if random_.random() < 0.5 else end
        at = random_.randrange(start, limit)
        changed[at] = random_.choice(
            [0, 0xFF, 0x7F, 0x80, random_.randrange(256), changed[at] ^ 1 << random_.randrange(8)]
        )
    return changed


def damaged_plan(plan, random_, file_size):
    """A plan as a damaged footer would give it."""
    numbers = [0, 1, 2**31 - 1, 2**40, file_size, random_.randrange(file_size)]
    choices = {
        "offset": numbers,
        "size": numbers,
        "num_values": numbers,
        "optional": [not plan.optional],
        "type_length": [0, 1, 16, 17, 2**31 - 1],
        "codec": ["none", "snappy"],
        "conversion": ["string", "i32", "i64", "bool", "fixed:i64", "fixed:i128", "f64", "u8:i16"],
    }
    name = random_.choice(list(choices))
    changes = {name: random_.choice(choices[name])}
    if name == "conversion":
        formats = {"string": "u", "i32": "i", "bool": "b", "fixed:i128": "d:38,2", "f64": "g", "u8:i16": "s"}
        changes["format"] = formats.get(changes[name], "l")
    return dataclasses.replace(plan, **changes)


def read_all(path, plan, random_):
    """Decodes a chunk in random steps of all kinds and looks at every value."""
    with open(path, "rb") as file:
        reader = open_chunk(file.fileno(), plan)
    entries = reader.dictionary()
    accepted = np.array([random_.random() < 0.3 for _ in range(0 if entries is None else len(entries))], np.uint8)
    while reader.left:
        step = random_.randint(1, min(reader.left, 700))
        if random_.random() < 0.1:
            reader.skip(step)
            continue
        kind = random_.choice(["all", "all", "some", "matching"])
        at = np.flatnonzero(np.frombuffer(random_.randbytes(step), np.uint8) < 90).astype(np.uint32)
        if kind == "all":
            vector, wanted = reader.read(step), step
        elif kind == "some":
            vector, wanted = reader.read_at(step, at), len(at)
        else:
            vector, kept, _ = reader.read_matching(step, at, accepted)
            wanted = len(at[kept])
        array = pa.array(vector)
        assert len(array) == wanted
        step = wanted
        array.validate(full=not (pa.types.is_string(array.type) or pa.types.is_dictionary(array.type)))
        if pa.types.is_dictionary(array.type):
            assert array.indices.null_count == step or min(i for i in array.indices.to_pylist() if i is not None) >= 0
            array = array.dictionary_decode()
        for buffer in array.buffers():
            hash(None if buffer is None else buffer.to_pybytes())


def write_damageable(path, random_, number, nulls, **more):
    """A file of every type, dictionary-encoded, or with one of the other encodings."""
    from tests.connectors.parquet_matrix import ENCODINGS, table_of
    from tests.connectors.test_parquet_native import OPTIONS

    options, rows = OPTIONS[number % len(OPTIONS)] | more, 600
    encoding = random_.choice([None, *ENCODINGS])
    if encoding is None:
        pq.write_table(table_of(nulls, rows), path, dictionary_pagesize_limit=2000, **options)
        return
    table = table_of(nulls, rows, ENCODINGS[encoding])
    options |= {"use_dictionary": False, "column_encoding": dict.fromkeys(table.column_names, encoding)}
    pq.write_table(table, path, **options)


def conjuncts(provider, random_):
    """A conjunct over some column of integers, so that indexes, filters and dictionaries are asked."""
    integers = [column for column in provider.schema.columns if isinstance(column.type, t.IntegerType)]
    if not integers:
        return ()
    column = random_.choice(integers)
    value = Literal(column.type, random_.choice([0, 1, 3, 100]))
    return (Call(t.BOOLEAN, random_.choice(["eq", "lt", "ge"]), (ColumnRef(column.type, 1, column.name), value)),)


def scan_damaged_files():
    """Files with flipped bytes anywhere, the footer included: whatever happens is a ConnectorError."""
    folder, seed, times = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    random_ = random.Random(seed)
    path = folder / "damaged.parquet"
    bloom = {"bloom_filter_options": {"i32": {"ndv": 100}}} if seed % 2 else {}
    write_damageable(
        path, random_, seed, 0.2, row_group_size=400, write_page_index=True, max_rows_per_page=100, **bloom
    )
    data = path.read_bytes()
    footer_start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    read = refused = 0
    for _ in range(times):
        start = random_.choice([0, footer_start])
        path.write_bytes(damaged(data, random_, start, len(data)))
        try:
            provider = file_provider(str(path))
            provider.statistics()
            names = [column.name for column in provider.schema.columns]
            for spec in (spec_of(provider), spec_of(provider, names, conjuncts(provider, random_))):
                for _ in itertools.islice(batches_of(Sources().open(spec)), 20):
                    pass
            read += 1
        except ConnectorError:
            refused += 1
    print(read, refused)


def main():
    folder, seed, times = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    random_ = random.Random(seed)
    path = folder / "damaged.parquet"
    read = refused = 0
    for round_ in range(8):
        write_damageable(path, random_, seed + round_ * 5, random_.choice([None, 0.0, 0.3]))
        data = path.read_bytes()
        footer = read_footer(stat_file(str(path)))
        plans = [footer.plan(0, column) for column in footer.columns]
        for _ in range(times // 8):
            plan = random_.choice(plans)
            if random_.random() < 0.2:
                plan = damaged_plan(plan, random_, len(data))
                path.write_bytes(data)
            else:
                path.write_bytes(damaged(data, random_, plan.offset, plan.offset + plan.size))
            try:
                read_all(path, plan, random_)
                read += 1
            except (ValueError, NotImplementedError, MemoryError, IndexError, OSError):
                refused += 1
    print(read, refused)
