"""Random numbers for whole columns: skewed ranks, weighted choices, and numbers that follow from others.

``mixed`` is what makes rows agree with each other: a page has one title and a user one telephone, because both are
functions of the page's or the user's number, not of the row's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

Numbers = np.ndarray[Any, np.dtype[Any]]


def skewed(draw: np.random.Generator, count: int, universe: int | Numbers, exponent: float) -> Numbers:
    """Ranks from 0 to ``universe - 1`` by Zipf's law in its continuous form; ``universe`` may differ from row to row."""
    power = 1.0 - exponent
    last = (np.asarray(universe, dtype=np.float64) + 1.0) ** power
    place = (1.0 + draw.random(count) * (last - 1.0)) ** (1.0 / power)
    return np.minimum(place.astype(np.int64) - 1, np.asarray(universe, dtype=np.int64) - 1)


def mixed(numbers: Numbers, salt: int) -> Numbers:
    """A 64-bit number that looks random for each number and salt: the finaliser of splitmix64 (Steele et al., 2014)."""
    z = numbers.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) & (2**64 - 1))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def part(numbers: Numbers, salt: int, parts: int) -> Numbers:
    """A number below ``parts`` that follows from each number."""
    return (mixed(numbers, salt) % np.uint64(parts)).astype(np.int64)


def share(numbers: Numbers, salt: int, portion: float) -> Numbers:
    """Whether each number belongs to a portion of all."""
    return mixed(numbers, salt) < np.uint64(portion * 2**64)


def chosen(draw: np.random.Generator, count: int, values: Sequence[Any], weights: Sequence[float]) -> Numbers:
    """Values with weights; what is left of 1 goes to the first."""
    rest = 1.0 - sum(weights)
    bounds = np.cumsum([rest, *weights])
    return np.asarray(values)[np.minimum(np.searchsorted(bounds, draw.random(count), side="right"), len(values) - 1)]


def picked(pool: Sequence[str] | pa.Array, places: Numbers) -> pa.Array:
    """Texts of a pool by place."""
    array = pool if isinstance(pool, pa.Array) else pa.array(pool, pa.string())
    return array.take(pa.array(places))
