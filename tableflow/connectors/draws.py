"""Random draws that are functions of (seed, event number, salt), so that any part of the stream can be made on its own.

A draw is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014) over a
counter.  All arithmetic is modulo 2**64.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Events: TypeAlias = npt.NDArray[np.uint64]
Integers: TypeAlias = npt.NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_LEVELS = 1 << 12


class Draws:
    """Draws under one seed."""

    def __init__(self, seed: int) -> None:
        with np.errstate(over="ignore"):
            self._seed = _mixed(np.array([seed % 2**64], dtype=np.uint64) + _GOLDEN)[0]
        levels = np.arange(_LEVELS, dtype=np.float64)
        self._coarse = np.power(10.0, 6.0 * levels / _LEVELS) * 100.0
        self._fine = np.power(10.0, 6.0 * levels / (_LEVELS * _LEVELS))

    def bits(self, events: Events, salt: int) -> Events:
        """64 bits per event."""
        counter = events * np.uint64(32)
        counter += np.uint64(salt)
        counter *= _GOLDEN
        counter += self._seed
        return _mixed(counter)

    def below(self, events: Events, salt: int, bound: int | Integers) -> Integers:
        """Uniform in [0, bound), one bound for all or one each."""
        drawn = (self.bits(events, salt) >> np.uint64(33)).astype(np.int64)
        drawn %= bound
        return drawn

    def price(self, events: Events, salt: int) -> Integers:
        """100 * 10 ** (6 u) for a uniform u of 24 bits, rounded; cut into two factors so that it needs no power per event."""
        drawn = self.bits(events, salt) >> np.uint64(40)
        coarse = self._coarse[(drawn >> np.uint64(12)).astype(np.int64)]
        coarse *= self._fine[(drawn & np.uint64(_LEVELS - 1)).astype(np.int64)]
        coarse += 0.5
        return np.floor(coarse).astype(np.int64)


def _mixed(bits: Events) -> Events:
    bits ^= bits >> np.uint64(30)
    bits *= _FIRST
    bits ^= bits >> np.uint64(27)
    bits *= _SECOND
    bits ^= bits >> np.uint64(31)
    return bits
