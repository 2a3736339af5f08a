"""Reads column chunks with flipped bytes natively, many times; run in a process of its own."""

import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tableflow.columnar.kernels.parquet import open_chunk
from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file


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
            path.write_bytes(damaged(data, random_, plan.offset, plan.offset + plan.size))
            try:
                read_all(path, plan, random_)
                read += 1
            except (ValueError, NotImplementedError, MemoryError):
                refused += 1
    print(read, refused)
