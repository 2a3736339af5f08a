"""Functions of a dictionary's entries, remembered: a dictionary comes with many batches, and each piece of one.

A function of one dictionary column is computed for the entries and mapped over the rows.  If there are more entries than rows, that pays
only if the dictionary comes again: rows are computed one by one until there were as many as entries (rent, then buy).
Invariant: what is remembered follows from the expression and the dictionary alone; both are held, so that neither
their identity nor their memory is given to another.  The memory is bounded: few dictionaries, none of them large.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.expressions.operand import Mask, Operand
from tableflow.records import dataclass

_MOST_ENTRIES = 1 << 16
_MOST_BYTES = 4 << 20
_MOST_RESULTS = 16

Kernel: TypeAlias = Callable[[Operand], Operand]
"""A function of one argument; others are constants of the expression."""

Step: TypeAlias = tuple[str, object]
"""What is computed: the name of a function, and the expression that calls it (or, of a chain, the operand it takes)."""


@dataclass(slots=True)
class Mapped:
    """What a step gives for the entries of a dictionary, and behind them for NULL."""

    step: Step
    dictionary: pa.Array
    rows: int = 0
    values: Any = None
    codes: Any = None
    """Where each entry's value is among the values; None: each has its own, in order."""
    errors: Mask | None = None

    def compute(self, of: t.SqlType, kernel: Kernel) -> None:
        """Computes the values of all entries."""
        entries = pa.concat_arrays([self.dictionary, pa.nulls(1, self.dictionary.type)])
        result = kernel(Operand(of, entries))
        if result.errors is not None and result.errors.any():
            self.errors = np.broadcast_to(result.errors, len(entries))
        self.values = result.array
        if pa.types.is_string(self.values.type) or pa.types.is_large_string(self.values.type):
            # Different entries may have become equal: codes must not tell them apart.
            encoded = result.plain.dictionary_encode()
            self.codes, self.values = encoded.indices, encoded.dictionary

    def over(self, codes: pa.Array, to: t.SqlType) -> Operand:
        """The values of rows with these codes."""
        if codes.null_count:
            codes = codes.fill_null(len(self.dictionary))
        errors = None if self.errors is None else self.errors[codes.to_numpy()]
        if self.codes is not None:
            mapped = pa.DictionaryArray.from_arrays(self.codes.take(codes), self.values)
        else:
            mapped = self.values.take(codes)
        return Operand(to, mapped, errors=errors)


class Entries:
    """What was computed of dictionaries lately; owned by whoever evaluates the same expressions again and again."""

    def __init__(self) -> None:
        self._known: OrderedDict[Any, Mapped] = OrderedDict()

    def of(self, step: Step, array: pa.DictionaryArray) -> Mapped | None:
        """What is known, or to be computed, for the dictionary of some more rows; None if it is not worthwhile yet."""
        dictionary = array.dictionary
        if len(dictionary) > _MOST_ENTRIES or dictionary.nbytes > _MOST_BYTES:
            return Mapped(step, dictionary) if len(dictionary) <= len(array) else None
        key = (
            step[0],
            id(step[1]),
            len(dictionary),
            dictionary.offset,
            *(None if b is None else b.address for b in dictionary.buffers()),
        )
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Mapped(step, dictionary)
            if len(self._known) > _MOST_RESULTS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        found.rows += len(array)
        return found if found.rows >= len(dictionary) else None
