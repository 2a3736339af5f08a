"""One stream with several readers: its rows go to all of them, so each sees the same prefix at every epoch."""

from __future__ import annotations

from tableflow.columnar.batch import Batch
from tableflow.physical.node import UnaryNode, positions
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Fork(UnaryNode):
    """One reader of the stream ``key``, whose columns ``sources`` it gives as ``fields``."""

    key: str
    sources: tuple[Field, ...]


class ForkOperator(Operator):
    """Gives the columns in the reader's order; who reads renames them."""

    def __init__(self, node: Fork) -> None:
        where = positions(node.input.fields)
        self._positions = [where[f.id] for f in node.sources]

    def process(self, batch: Batch, port: int) -> Emission:
        """The same rows."""
        yield batch.project(self._positions)
