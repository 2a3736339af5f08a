"""What a join of changelogs makes of pairs of rows, and of rows by how many partners they have.

Partners of a row are counted in one number: those for which the condition is TRUE in the upper half, those for which it is unknown
(only where that matters) in the lower.  Its *code* is what follows: 2 some partner, 1 none but unknown ones, 0 none at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.multi_state import Numbers, Slots
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import Call, Expression, column_ids
from tableflow.physical.changelog_side import Arrival, ChangelogSide
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.join_pairs import Mask, null_columns
from tableflow.physical.pair_condition import PairCondition
from tableflow.types import BOOLEAN, Field

PARTNER = 1 << 32
Codes = npt.NDArray[np.int8]

_ONE_SIDED = frozenset({HashJoinKind.SEMI, HashJoinKind.ANTI, HashJoinKind.MARK})


def partner_codes(marks: Numbers) -> Codes:
    """What the numbers of partners mean."""
    return np.where(marks >= PARTNER, np.int8(2), (marks != 0).astype(np.int8))


class PairRules:
    """The columns of a join's pairs and the condition on them; resolved when the sides' columns are known.

    Where the answer has three values only null-safe keys bring rows together; the comparison is evaluated for every pair of them.
    """

    def __init__(
        self,
        kind: HashJoinKind,
        keys: tuple[Sequence[Expression], Sequence[Expression]],
        null_safe: Sequence[bool],
        residual: Sequence[Expression],
        *,
        null_aware: bool,
    ) -> None:
        self._kind = kind
        self.three_valued = null_aware or kind is HashJoinKind.MARK
        together = [i for i, safe in enumerate(null_safe) if safe or not self.three_valued]
        self.left_keys = [keys[0][i] for i in together]
        self.right_keys = [keys[1][i] for i in together]
        self.null_safe = [null_safe[i] for i in together]
        compared = [i for i in range(len(null_safe)) if i not in together]
        self._residual = (*residual, *(Call(BOOLEAN, "eq", (keys[0][i], keys[1][i])) for i in compared))
        self.read = frozenset[int]().union(*(column_ids(e) for e in self._residual))
        self.emits_pairs = kind not in _ONE_SIDED

    def resolve(
        self, sides: tuple[tuple[Field, ...], tuple[Field, ...]], output: tuple[Field, ...], mark: int | None
    ) -> None:
        """``sides`` are the columns that are kept of each input."""
        paired = [[f for f in side if self.emits_pairs or f.id in self.read] for side in sides]
        self._paired = [
            [i for i, f in enumerate(side) if f in chosen] for side, chosen in zip(sides, paired, strict=True)
        ]
        fields = (*paired[0], *paired[1])
        self._where = {f.id: i for i, f in enumerate(fields)}
        self._condition = PairCondition(fields, self._residual)
        self._conjunction = self._residual[0] if len(self._residual) == 1 else Call(BOOLEAN, "and", self._residual)
        self._output, self._mark = output, mark
        wanted = {f.id for f in output}
        self.alone = [[i for i, f in enumerate(side) if f.id in wanted] for side in sides]
        self._alone = [
            {side[i].id: n for n, i in enumerate(places)} for side, places in zip(sides, self.alone, strict=True)
        ]
        self.prepare = self._condition.prepare
        self.most_at_once = self._condition.most_at_once

    def pairs(self, port: int, arrival: Arrival, lanes: Slots, other: ChangelogSide, slots: Slots) -> Batch:
        """Rows that have arrived at a port beside rows of the other side."""
        own = take_columns([arrival.columns[i] for i in self._paired[port]], arrival.changes.rows[lanes])
        theirs = other.columns(self._paired[1 - port], slots)
        return Batch([*own, *theirs] if port == 0 else [*theirs, *own], len(lanes))

    def judged(self, pairs: Batch) -> tuple[Selection | None, Selection | None]:
        """Pairs for which the condition is TRUE (None: all), and those for which it is unknown (None: not asked)."""
        if not self._residual:
            return None, None
        if not self.three_valued:
            chosen = self._condition.selected(pairs)
            return None if len(chosen) == pairs.length else chosen, None
        array = project([self._conjunction], pairs, self._where)[0].array
        unknown: Mask = array.is_null().to_numpy(zero_copy_only=False)
        true: Mask = array.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
        return np.flatnonzero(true).astype(np.uint32), np.flatnonzero(unknown).astype(np.uint32)

    def output(self, pairs: Batch) -> list[Column]:
        """The output columns of pairs."""
        return [pairs.columns[self._where[f.id]] for f in self._output]

    def keeps(self, codes: Codes) -> Mask:
        """Whether a row with this code comes out on its own."""
        if self._kind is HashJoinKind.MARK:
            return np.ones(len(codes), np.bool_)
        kept: Mask = codes == (2 if self._kind is HashJoinKind.SEMI else 0)
        return kept

    def lone(self, port: int, columns: Sequence[Column], weights: Numbers, codes: Codes) -> Batch:
        """Rows of a side on their own; ``columns`` are those that :attr:`alone` names."""
        rows = len(weights)
        return Batch([self._lone_column(f, port, columns, codes) for f in self._output], rows, None, weights)

    def _lone_column(self, of: Field, port: int, columns: Sequence[Column], codes: Codes) -> Column:
        if of.id == self._mark:
            return Column(BOOLEAN, pa.array(codes == 2, mask=codes == 1))
        at = self._alone[port].get(of.id)
        return null_columns([of], len(codes))[0] if at is None else columns[at]


def halves(slots: Slots, before: Numbers, rows: int) -> Iterator[tuple[Slots, Numbers]]:
    """Rows and their numbers in pieces of half of so many: each may come out twice."""
    step = max(1, rows // 2)
    for start in range(0, len(slots), step):
        yield slots[start : start + step], before[start : start + step]
