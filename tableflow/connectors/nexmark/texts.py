"""The texts of events: slices of a fixed pool of letters, and words from short lists."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.connectors.draws import Draws, Integers

Bytes = npt.NDArray[np.uint8]

POOL = 1 << 20
_POOL_SALT, _SPACE_SALT, _URL_SALT = 24, 25, 26

STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
CITIES = (
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne",
)  # fmt: skip
_FIRST_NAMES = ("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter")
_LAST_NAMES = ("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris")
HOT_CHANNELS = ("Google", "Facebook", "Baidu", "Apple")
OTHER_CHANNELS = 10_000


class Texts:
    """Pools and word lists under one seed; each made when first needed."""

    names = pa.array([f"{first} {last}" for first in _FIRST_NAMES for last in _LAST_NAMES])
    name_lengths = np.array([len(f"{first} {last}") for first in _FIRST_NAMES for last in _LAST_NAMES])
    cities = pa.array(CITIES)
    city_lengths = np.array([len(city) for city in CITIES])
    states = pa.array(STATES)

    def __init__(self, draws: Draws) -> None:
        self._draws = draws

    @cached_property
    def letters(self) -> Bytes:
        """Letters a to z."""
        places = np.arange(POOL, dtype=np.uint64)
        return (self._draws.below(places, _POOL_SALT, 26) + ord("a")).astype(np.uint8)

    @cached_property
    def spaced(self) -> Bytes:
        """The letters, one in thirteen an underscore."""
        places = np.arange(POOL, dtype=np.uint64)
        return np.where(self._draws.below(places, _SPACE_SALT, 13) == 0, ord("_"), self.letters).astype(np.uint8)

    @cached_property
    def channels(self) -> pa.StringArray:
        """The hot channels, then the others."""
        return pa.array([*HOT_CHANNELS, *(f"channel-{number}" for number in range(OTHER_CHANNELS))])

    @cached_property
    def urls(self) -> pa.StringArray:
        """The page of each channel; nine of ten of those that are not hot name the channel's id."""
        channels = np.arange(OTHER_CHANNELS + len(HOT_CHANNELS), dtype=np.uint64)
        below = self._draws.below
        lengths = [3 + below(channels, _URL_SALT + part, 2) for part in range(3)]
        begins = [below(channels, _URL_SALT + 3, POOL - 64) + 8 * part for part in range(3)]
        named = below(channels, _URL_SALT + 4, 10) > 0
        text = self.spaced.tobytes().decode()
        urls = []
        for channel in range(len(channels)):
            path = "/".join(
                text[begin[channel] : begin[channel] + length[channel]]
                for begin, length in zip(begins, lengths, strict=True)
            )
            other = channel - len(HOT_CHANNELS)
            number = f"&channel_id={_channel_id(other)}" if other >= 0 and named[channel] else ""
            urls.append(f"https://www.nexmark.com/{path}/item.htm?query=1{number}")
        return pa.array(urls)


def cut(pool: Bytes, begins: Integers, lengths: Integers) -> pa.StringArray:
    """Slices of a pool, as texts."""
    ends = np.cumsum(lengths)
    places = np.repeat((begins - (ends - lengths)).astype(np.int32), lengths)
    places += np.arange(len(places), dtype=np.int32)
    return texts_of(pool[places], lengths)


def texts_of(data: Bytes, lengths: Integers) -> pa.StringArray:
    """Texts of these lengths that follow each other."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(data))


def _channel_id(number: int) -> int:
    """The number's 32 bits in reverse, as a signed integer without its sign."""
    turned = int(f"{number:032b}"[::-1], 2)
    return abs(turned - 2**32 if turned >= 2**31 else turned)
