"""Pages compressed by Zstandard: what libzstd has compressed comes back, what is damaged is refused."""

import tempfile

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from tableflow.columnar._native import ParquetColumnReader

DICE = np.random.default_rng(7)
CHECKED, SKIPPABLE = 4, b"\x50\x2a\x4d\x18"
"""The bit of a frame's header that says that a checksum follows, and the magic of a frame without contents."""


def number(value):
    """A positive number as Thrift's compact protocol writes it."""
    value <<= 1
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def decode(frames, size):
    """The numbers of 64 bits that a column chunk of one compressed page holds."""
    values = size // 8
    header = b"\x15\x00\x15" + number(size) + b"\x15" + number(len(frames)) + b"\x2c"
    header += b"\x15" + number(values) + b"\x15\x00\x15\x06\x15\x06\x00\x00"
    with tempfile.TemporaryFile() as file:
        file.write(header + frames)
        file.flush()
        size = len(header) + len(frames)
        reader = ParquetColumnReader(file.fileno(), 0, size, values, False, "i64", "l", 0, "zstd", None)
        return pa.array(reader.read(values)).to_numpy()


def compressed(values, level=1):
    return pa.Codec("zstd", compression_level=level).compress(values.tobytes(), asbytes=True)


def texts(size):
    words = b" ".join(str(one).encode() for one in DICE.integers(0, 3000, size))
    return np.frombuffer(words[: len(words) // 8 * 8], np.int64)


SHAPES = {
    "random": DICE.integers(0, 1 << 62, 20_000),
    "small": DICE.integers(0, 100, 20_000),
    "ascending": np.arange(20_000),
    "skewed": DICE.zipf(1.3, 20_000) % (1 << 40),
    "constant": np.full(20_000, 77),
    "few": DICE.choice(np.array([1, 7, 1 << 40]), 20_000),
    "text": texts(60_000),
    "far": np.tile(DICE.integers(0, 1 << 62, 30_000), 3),
    "single bytes": np.frombuffer(np.repeat(DICE.integers(0, 9, 4000).astype(np.uint8), 40).tobytes(), np.int64),
    **{f"first {n}": np.arange(n) % 3 for n in range(1, 40)},
}


@pytest.mark.parametrize("level", [-5, 1, 5, 12])
def test_all_shapes_come_back(level):
    for name, values in SHAPES.items():
        values = values.astype(np.int64)
        found = decode(compressed(values, level), values.nbytes)
        np.testing.assert_array_equal(found, values, err_msg=name)


def test_frames_one_after_the_other():
    first, second = SHAPES["small"], SHAPES["text"]
    skipped = SKIPPABLE + (5).to_bytes(4, "little") + b"hello"
    frames = skipped + compressed(first) + skipped + compressed(second) + skipped
    np.testing.assert_array_equal(decode(frames, first.nbytes + second.nbytes), np.concatenate([first, second]))


@pytest.mark.parametrize("name", ["small", "first 1", "first 4", "first 39", "text"])
def test_a_checksum_is_looked_at(name):
    values = SHAPES[name].astype(np.int64)
    frame = bytearray(compressed(values))
    frame[4] |= CHECKED
    right = xxhash.xxh64_intdigest(values.tobytes()) & 0xFFFFFFFF
    np.testing.assert_array_equal(decode(bytes(frame) + right.to_bytes(4, "little"), values.nbytes), values)
    with pytest.raises(ValueError, match="zstd data is damaged"):
        decode(bytes(frame) + (right ^ 1).to_bytes(4, "little"), values.nbytes)


def test_damage_is_refused_or_changes_values():
    values = SHAPES["skewed"][:500].astype(np.int64)
    frame = compressed(values, 5)
    refused = 0
    for place in range(len(frame)):
        damaged = bytearray(frame)
        damaged[place] ^= 1 << int(DICE.integers(8))
        try:
            assert len(decode(bytes(damaged), values.nbytes)) == len(values)
        except (ValueError, NotImplementedError):
            refused += 1
        if place % 50 == 0:
            with pytest.raises(ValueError, match="damaged"):
                decode(frame[:place] if place else b"\0", values.nbytes)
    assert refused > 50


def test_a_page_of_another_size_is_refused():
    values = np.arange(100)
    frame = compressed(values)
    for size in (values.nbytes - 8, values.nbytes + 8):
        with pytest.raises(ValueError, match="zstd data is damaged"):
            decode(frame, size)


def test_a_frame_that_needs_a_dictionary_is_left_to_others():
    header = bytes([0x28, 0xB5, 0x2F, 0xFD, 0x21, 9, 8])  # one segment, dictionary 9, eight bytes
    block = (8 << 3 | 1).to_bytes(3, "little") + bytes(8)
    with pytest.raises(NotImplementedError, match="dictionary"):
        decode(header + block, 8)
