"""The terminal of a build stage: contributes its rows to a published join table."""

from __future__ import annotations

from tableflow.columnar.batch import Batch
from tableflow.expressions.nodes import Expression
from tableflow.physical.join_build import BuildRows, BuildSealer, BuildSide, BuildSpec
from tableflow.physical.node import UnaryNode
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.runtime.publication import Publication
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class HashBuild(UnaryNode):
    """Terminal of a build stage: contributes its rows to the published table ``publication``.

    Made by lowering from a PUBLISHED :class:`~tableflow.physical.hash_join.HashJoin`; ``keys`` and ``null_safe`` as there.  ``fields`` are those kept.
    """

    keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    publication: str
    null_aware: bool = False
    described: tuple[int, ...] = ()


class HashBuildOperator(Operator):
    """Collects a task's rows and contributes them to the published table."""

    def __init__(self, node: HashBuild) -> None:
        self._publication = node.publication
        self._spec = BuildSpec(
            node.keys, node.null_safe, node.input.fields, node.fields, node.null_aware, node.described
        )

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._rows = BuildRows(self._spec)
        self._collected = context.reserve("build rows")
        self._sealed = context.reserve("join table")

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Collects."""
        self._collected.resize(self._rows.bytes_after(batch))
        self._rows.add(batch)
        self._collected.resize(self._rows.bytes)
        return None

    def on_end(self, port: int) -> Emission | None:
        """Contributes the rows and helps to seal; emits none."""
        return self._contribute()

    def _contribute(self) -> Emission:
        publication: Publication[BuildRows, BuildSide] = self._context.publication(self._publication)
        publication.adopt(self._sealed)
        sealer = BuildSealer(self._spec, self._sealed)
        # The rows are handed over without a reference left here, so that sealing can let them go.
        yield from publication.contribute(self._context.task_index, self._hand_over(), sealer)
        self._collected.release()

    def _hand_over(self) -> BuildRows:
        rows, self._rows = self._rows, BuildRows(self._spec)
        return rows

    def close(self) -> None:
        """Gives memory back; the table's belongs to the publication once it is contributed."""
        if hasattr(self, "_collected"):
            self._rows = BuildRows(self._spec)
            self._collected.release()
