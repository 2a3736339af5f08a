"""Reads column chunks with flipped bytes natively, many times; run in a process of its own."""

import dataclasses
import itertools
import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tableflow.columnar.kernels.parquet import open_chunk
from tableflow.connectors import Sources, file_provider
from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file
from tableflow.errors import ConnectorError
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
    """Decodes a chunk in random steps and looks at every value."""
    with open(path, "rb") as file:
        reader = open_chunk(file.fileno(), plan)
    while reader.left:
        step = random_.randint(1, min(reader.left, 700))
        if random_.random() < 0.1:
            reader.skip(step)
            continue
        array = pa.array(reader.read(step))
        assert len(array) == step
        array.validate(full=not (pa.types.is_string(array.type) or pa.types.is_dictionary(array.type)))
        if pa.types.is_dictionary(array.type):
            assert array.indices.null_count == step or min(i for i in array.indices.to_pylist() if i is not None) >= 0
            array = array.dictionary_decode()
        for buffer in array.buffers():
            hash(None if buffer is None else buffer.to_pybytes())


def scan_damaged_files():
    """Files with flipped bytes anywhere, the footer included: whatever happens is a ConnectorError."""
    from tests.connectors.test_parquet_native import OPTIONS, columns

    folder, seed, times = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    random_ = random.Random(seed)
    path = folder / "damaged.parquet"
    pq.write_table(pa.table(columns(0.2, rows=300, seed=seed)), path, row_group_size=200, **OPTIONS[seed])
    data = path.read_bytes()
    footer_start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    read = refused = 0
    for _ in range(times):
        start = random_.choice([0, footer_start])
        path.write_bytes(damaged(data, random_, start, len(data)))
        try:
            provider = file_provider(str(path))
            provider.statistics()
            for _ in itertools.islice(batches_of(Sources().open(spec_of(provider))), 20):
                pass
            read += 1
        except ConnectorError:
            refused += 1
    print(read, refused)


def main():
    from tests.connectors.test_parquet_native import OPTIONS, columns

    folder, seed, times = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    random_ = random.Random(seed)
    path = folder / "damaged.parquet"
    read = refused = 0
    for round_ in range(8):
        options = OPTIONS[(seed + round_ * 5) % len(OPTIONS)]
        arrays = columns(random_.choice([None, 0.0, 0.3]), rows=800, seed=seed)
        pq.write_table(pa.table(arrays), path, dictionary_pagesize_limit=2000, **options)
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
