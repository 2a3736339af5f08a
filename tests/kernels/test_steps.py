"""Kernels in steps: stopped at every place where they can stop, they give what they give in one go."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar import _native
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels import gather, windows
from tableflow.columnar.kernels.steps import finish

ROWS = 40_000


def stepped(work):
    """Steps until all is done, each as short as can be; their number."""
    steps = 1
    while not work.step(0):
        steps += 1
    return steps


def frames(kind):
    rows = np.arange(ROWS, dtype=np.int64)
    match kind:
        case "to the end":
            return rows, np.full(ROWS, ROWS, np.int64)
        case "everything":
            return np.zeros(ROWS, np.int64), np.full(ROWS, ROWS, np.int64)
        case "wide":
            return np.maximum(rows - 15_000, 0), np.minimum(rows + 15_000, ROWS)
        case "apart":
            return rows // 20_000 * 20_000, rows // 20_000 * 20_000 + 20_000


COLUMNS = {
    "floats": (t.DOUBLE, pa.float64()),
    "integers": (t.BIGINT, pa.int64()),
    "decimals": (t.DecimalType(30, 2), pa.decimal128(30, 2)),
}


def numbers(kind):
    of, stored = COLUMNS[kind]
    values = np.random.default_rng(3).integers(-1000, 1000, ROWS).tolist()
    return Column(of, pa.array([None if i % 7 == 0 else v for i, v in enumerate(values)], pa.int64()).cast(stored))


@pytest.mark.parametrize("span", ["to the end", "everything", "wide", "apart"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_sums_of_frames(kind, span):
    column, (low, high) = numbers(kind), frames(span)
    for function, result in (("sum", column.type), ("avg", t.DOUBLE), ("stddev_samp", t.DOUBLE), ("count", t.BIGINT)):
        if function == "sum" and kind != "floats":
            result = t.DecimalType(38, 2 if kind == "decimals" else 0)
        whole = windows.FrameSum(function, column, result)
        parts = windows.FrameSum(function, column, result)
        for first in range(0, ROWS, ROWS // 2):
            ends = low[first : first + ROWS // 2], high[first : first + ROWS // 2]
            parts._native.begin(*ends)
            steps = stepped(parts._native)
            found = Column(result, vector=parts._native.take()).array
            assert found.equals(whole.next(*ends).array)
            assert steps >= 3 or first > 0


@pytest.mark.parametrize("span", ["to the end", "everything", "wide", "apart"])
def test_extremes_of_frames(span):
    column, (low, high) = numbers("integers"), frames(span)
    for greatest in (False, True):
        parts = windows.FrameExtreme(column, greatest=greatest)
        parts._native.begin(low, high)
        assert stepped(parts._native) >= 3
        assert np.array_equal(parts._native.take(), windows.FrameExtreme(column, greatest=greatest).next(low, high))


def test_values_are_taken_when_they_are_there():
    kernel = windows.FrameSum("sum", numbers("integers"), t.BIGINT)._native
    with pytest.raises(ValueError, match="no values that are finished"):
        kernel.take()
    kernel.begin(*frames("everything"))
    assert kernel.step(0) is False
    with pytest.raises(ValueError, match="no values that are finished"):
        kernel.take()
    with pytest.raises(ValueError, match="are not finished"):
        kernel.begin(*frames("everything"))


def test_an_error_in_the_middle_ends_the_steps():
    column = Column(t.BIGINT, pa.array(np.full(ROWS, 2**62)))
    kernel = windows.FrameSum("sum", column, t.BIGINT)._native
    kernel.begin(*frames("everything"))
    with pytest.raises(OverflowError, match="integer overflow"):
        stepped(kernel)
    with pytest.raises(ValueError, match="no values that are finished"):
        kernel.take()


def test_steps_that_are_left_before_the_end_leave_nothing():
    kernel = windows.FrameSum("sum", numbers("floats"), t.DOUBLE)._native
    kernel.begin(*frames("everything"))
    assert kernel.step(0) is False
    del kernel
    work = _native.Concatenation([[numbers("floats").vector] * 3])
    assert work.step(0) is False
    del work


def parts_of(kind):
    n = 20_000
    texts = [None if i % 11 == 0 else f"text {i * 7919 % n}" for i in range(n)]
    small = pa.array([f"entry {i % 7}" for i in range(n)]).dictionary_encode()
    match kind:
        case "integers of several widths":
            return t.BIGINT, [pa.array(np.arange(n), pa.int64()), pa.array(np.arange(n) % 100, pa.int8())]
        case "texts":
            return t.STRING, [pa.array(texts), pa.array(texts[::-1])]
        case "one dictionary":
            return t.STRING, [small, small]
        case "dictionaries":
            other = pa.array([f"entry {i % 5 + 4}" for i in range(n)]).dictionary_encode()
            return t.STRING, [small, other, pa.array([f"{i % 9000}" for i in range(3 * n)]).dictionary_encode()]
        case "texts and a dictionary":
            return t.STRING, [small, pa.array(texts)]
        case "entries that are NULL":
            codes = pa.array(np.arange(n) % 3, pa.int32())
            nulls = pa.DictionaryArray.from_arrays(codes, pa.array(["a", None, "c"]))
            return t.STRING, [pa.array(texts), nulls]
        case "booleans":
            return t.BOOLEAN, [pa.array([None, True, False] * 6000), pa.array([True] * n)]
        case "floats":
            return t.DOUBLE, [pa.array([None, 1.5] * 10_000), pa.array(np.arange(n) / 3), pa.nulls(5)]
        case "nothing":
            return t.BIGINT, [pa.nulls(n), pa.nulls(3)]


@pytest.mark.parametrize(
    "kind",
    [
        "integers of several widths", "texts", "one dictionary", "dictionaries", "texts and a dictionary",
        "entries that are NULL", "booleans", "floats", "nothing",
    ],
)  # fmt: skip
def test_concatenation(kind):
    of, arrays = parts_of(kind)
    batches = [Batch([Column(of, array)], len(array)) for array in arrays]
    expected = gather.concat(batches).columns[0].array
    work = _native.Concatenation([[batch.columns[0].vector for batch in batches]])
    assert stepped(work) >= 2
    assert Column(of, vector=work.take()[0]).array.equals(expected)
    assert finish(gather.concat_steps(batches)).columns[0].array.equals(expected)


def test_concatenation_of_nested_columns_with_weights():
    of = t.ArrayType(t.BIGINT)
    batches = [
        Batch([Column(of, pa.array([[1], None])), Column(t.BIGINT, pa.array([1, 2]))], 2, None, np.array([1, -1])),
        Batch([Column(of, pa.array([[], [2, 3]])), Column(t.BIGINT, pa.array([3, None]))], 2),
    ]
    made, expected = finish(gather.concat_steps(batches)), gather.concat(batches)
    assert [column.array for column in made.columns] == [column.array for column in expected.columns]
    assert made.weights.tolist() == expected.weights.tolist() == [1, -1, 1, 1]
    assert finish(gather.concat_steps(batches[:1])) is batches[0]


@pytest.mark.parametrize("rows", [1, 2, 131_072, 131_073, 300_000])
def test_first_rows_in_pieces(rows):
    keys = np.sort(np.random.default_rng(rows).integers(0, rows, rows))
    batch = Batch([Column(t.BIGINT, pa.array(keys))], rows)
    expected = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), rows]
    assert finish(windows.first_rows(batch, [0])).tolist() == expected


def keys_of(kind):
    numbers = np.random.default_rng(4).integers(0, 9_000, ROWS)
    texts = [
        None if v % 13 == 0 else f"the same for all of them, {'x' * (v % 3)} then {v * 7919 % 9000}" for v in numbers
    ]
    match kind:
        case "short numbers":
            return [Column(t.BIGINT, pa.array(numbers))]
        case "long numbers":
            return [Column(t.BIGINT, pa.array(numbers * 2**40)), Column(t.BIGINT, pa.array(numbers[::-1] * 2**40))]
        case "texts":
            return [Column(t.STRING, pa.array(texts))]
        case "many equal texts, numbers":
            return [
                Column(t.STRING, pa.array([text and text[:34] for text in texts])),
                Column(t.BIGINT, pa.array(numbers)),
            ]
        case "dictionary":
            return [Column(t.STRING, pa.array(texts).dictionary_encode()), Column(t.BIGINT, pa.array(-numbers))]
        case "nothing but NULL":
            return [Column(t.BIGINT, pa.nulls(ROWS, pa.int64()))]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "kind", ["short numbers", "long numbers", "texts", "many equal texts, numbers", "dictionary", "nothing but NULL"]
)
def test_sorting(kind, descending):
    columns = keys_of(kind)
    values = [column.array.to_pylist() for column in columns]
    expected = list(range(ROWS))
    for of in reversed(values):
        expected.sort(key=lambda i, of=of: (of[i] is not None, of[i] or 0), reverse=descending)
        expected.sort(key=lambda i, of=of: of[i] is None)
    work = _native.Sorting([column.vector for column in columns], [(descending, False)] * len(columns), ROWS)
    with pytest.raises(ValueError, match="not in order yet"):
        work.take()
    assert stepped(work) >= 2
    assert work.take().tolist() == expected


@pytest.mark.parametrize("rows", [0, 1, 40_000])
def test_taking(rows):
    of, arrays = parts_of("dictionaries")
    columns = [Column(of, arrays[0]), Column(t.BIGINT, pa.array(np.arange(len(arrays[0])))), numbers("decimals")]
    columns = [column.slice(0, 20_000) for column in columns]
    index = np.random.default_rng(6).integers(0, 20_000, rows)
    batch = Batch(columns, 20_000)
    expected = gather.take_rows(batch, index)
    work = _native.Concatenation([column.vector for column in columns], index)
    assert stepped(work) >= 2
    made = [Column(column.type, vector=vector) for column, vector in zip(columns, work.take(), strict=True)]
    assert [column.array for column in made] == [column.array for column in expected.columns]
    assert finish(gather.take_rows_steps(batch, index)).length == rows
    with pytest.raises(IndexError):
        _native.Concatenation([columns[0].vector], np.array([20_000]))
