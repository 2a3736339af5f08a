"""The questions that a lookup join has open, and what it knows already.

Invariants: the keys of one question are distinct and have no NULL; with a cache no key is asked for while a question about it is
open; an answer has rows of the keys that were asked for and no others.  Who is asked gets values of the columns; here keys have the
type in which they are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.catalog.lookup import CachePolicy
from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.multi_state import NO_SLOT, MultiState
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.lookup_cache import KeyedRows, LookupCache
from tableflow.runtime.lookup import Call, OpenLookup
from tableflow.runtime.operator import OperatorContext
from tableflow.types import BIGINT, Field

if TYPE_CHECKING:
    from tableflow.physical.lookup_keys import ColumnKeys


class Question:
    """Distinct keys, and the rows that were found for them once :attr:`rows` is not None."""

    def __init__(self, number: int, keys: list[Column], count: int, call: Call) -> None:
        self.number = number
        self.keys = keys
        self.count = count
        self.call = call
        self.rows: Batch | None = None


class Questions:
    """See the module; keys have the types of ``keys``, expressions over the ``found`` columns of an answer."""

    def __init__(
        self, found: tuple[Field, ...], keys: Sequence[Expression], batch_keys: int, policy: CachePolicy | None
    ) -> None:
        self._found = found
        self._keys = tuple(keys)
        self._types = [key.type for key in keys]
        self._column_keys: ColumnKeys | None = None
        if not all(isinstance(key, ColumnRef) for key in keys):
            from tableflow.physical.lookup_keys import ColumnKeys  # most keys have their column's type

            self._column_keys = ColumnKeys(keys)
        self._batch_keys = batch_keys
        self._cache = None if policy is None else LookupCache(policy, self._types, KeyedRows(found, keys))
        self._flying = self._keyed([BIGINT])
        self._open: dict[int, Question] = {}
        self._number = 0

    def _keyed(self, more: Sequence[object] = ()) -> MultiState:
        count = len(self._types)
        return MultiState([*self._types, *more], range(count), [False] * count, counted=False)  # type: ignore[list-item]

    def begin(self, context: OperatorContext, lookup: OpenLookup) -> None:
        """Before the first question."""
        self._context = context
        self._lookup = lookup
        self._reservation = context.reserve("cache")
        self._reservation.rows = self._held_rows

    def _held_rows(self) -> int:
        """Keys that are asked for, keys that are known, and the rows of those."""
        asked = sum(question.count for question in tuple(self._open.values()))
        return asked + (0 if self._cache is None else self._cache.keys + self._cache.rows)

    def _account(self) -> None:
        held = sum(column.nbytes for question in self._open.values() for column in question.keys)
        if self._cache is not None:
            held += self._cache.bytes + self._flying.bytes
        self._reservation.resize(held)

    @property
    def open(self) -> int:
        """How many questions wait for an answer."""
        return len(self._open)

    def ask(self, keys: list[Column], length: int, selection: Selection | None) -> tuple[list[Batch], list[Question]]:
        """Rows that are known for the keys, and the questions whose answers have the others."""
        distinct = MultiState(self._types, range(len(self._types)), [False] * len(self._types))
        rows = distinct.apply(keys, length, selection).rows
        asked, count = take_columns(keys, rows), len(rows)
        if self._column_keys is not None and count:
            rows = self._column_keys.held(asked, count)
            asked, count = take_columns(asked, rows), len(rows)
        known: list[Batch] = []
        waited: list[Question] = []
        if self._cache is not None and count:
            there, found = self._cache.take(asked, count, self._context.now())
            self._context.count("cache_hits", int(there.sum()))
            if found is not None:
                known.append(found)
            asked, count = _without(asked, ~there)
            heads = self._flying.probe(asked, count).heads()
            flying = heads != NO_SLOT
            numbers = self._flying.columns([len(self._types)], heads[flying])[0].array
            waited = [self._open[number] for number in sorted(set(numbers.to_pylist()))]
            asked, count = _without(asked, ~flying)
        fresh = list(self._asked(asked, count))
        self._account()
        return known, [*waited, *fresh]

    def _asked(self, keys: list[Column], count: int) -> Iterator[Question]:
        for start in range(0, count, self._batch_keys):
            length = min(self._batch_keys, count - start)
            part = [column.slice(start, length) for column in keys]
            self._context.count("lookups")
            self._context.count("looked_up_keys", length)
            self._number += 1
            columns = part if self._column_keys is None else self._column_keys.columns(part, length)
            call = self._lookup.call(Batch(columns, length))
            question = Question(self._number, part, length, call)
            self._open[self._number] = question
            if self._cache is not None:
                self._flying.apply([*part, Column(BIGINT, pa.array(np.full(length, self._number)))], length)
            self._context.notify(call.answered)
            yield question

    def harvest(self) -> None:
        """Takes the answers that have come; raises what went wrong."""
        for number in [number for number, question in self._open.items() if question.call.answered.ready]:
            question = self._open.pop(number)
            answer = question.call.result()
            asked = self._keyed()
            asked.apply(question.keys, question.count)
            question.rows = answer
            if answer.rows:
                columns, length = KeyedRows(self._found, self._keys).keys_of(answer)
                wanted = np.flatnonzero(asked.probe(columns, length).heads() != NO_SLOT).astype(np.uint32)
                if len(wanted) < length:
                    question.rows = Batch(take_columns(answer.columns, wanted), len(wanted))
            if self._cache is not None:
                heads = self._flying.probe(question.keys, question.count).heads()
                self._flying.remove(heads[heads != NO_SLOT])
                self._flying.compact()
                self._cache.put(question.keys, question.count, question.rows, self._context.now())
        self._account()

    def close(self) -> None:
        """Gives the memory back."""
        self._open.clear()
        if hasattr(self, "_reservation"):
            self._reservation.release()


def _without(keys: list[Column], kept: npt.NDArray[np.bool_]) -> tuple[list[Column], int]:
    if kept.all():
        return keys, len(kept)
    rows = np.flatnonzero(kept).astype(np.uint32)
    return take_columns(keys, rows), len(rows)
