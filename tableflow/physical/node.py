"""Physical plan nodes: how a query is computed.  Each operator's file declares its node beside the operator.

A node's expressions name columns by id; its ``fields`` are its output columns *in batch order*.  ``facts`` is what
planning knew: delivered properties and the estimate.  A plan is cut into stages at exchanges and publications; there,
a node's input is replaced by :class:`Input`, so a node with `Input` leaves is the complete definition of an
operator, and is what an ``OperatorSpec`` carries as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from tableflow.errors import InternalError
from tableflow.expressions.intervals import Domain
from tableflow.physical.properties import ANYWHERE, Estimate, Properties
from tableflow.records import dataclass, replace
from tableflow.serialization import serializable
from tableflow.types import Field

_V = TypeVar("_V")

__all__ = [
    "NO_FACTS", "UNKNOWN", "BinaryNode", "Domain", "Facts", "Input", "PhysicalNode", "UnaryNode", "dealt_by", "positions",
]  # fmt: skip

UNKNOWN = Estimate(0.0, 0.0, 0.0)
_NOTHING = Properties(ANYWHERE)


@serializable
@dataclass(frozen=True, slots=True)
class Facts:
    """What planning knew of a node; nothing at run time depends on it but EXPLAIN and table sizing."""

    properties: Properties = _NOTHING
    estimate: Estimate = UNKNOWN

    def handed_on(self) -> Facts:
        """Those of a node above that changes nothing but columns."""
        if not self.properties.arrival_ordered:
            return self
        return Facts(replace(self.properties, arrival_ordered=False), self.estimate)


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalNode:
    """Base: output columns in batch order, what planning knew, and bounds of columns known here (by id)."""

    fields: tuple[Field, ...]
    facts: Facts = NO_FACTS

    @property
    def inputs(self) -> tuple[PhysicalNode, ...]:
        """Inputs by port."""
        return ()

    def with_inputs(self, new: tuple[PhysicalNode, ...]) -> PhysicalNode:
        """The same node over other inputs."""
        return self


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Input(PhysicalNode):
    """Where a stage's chain is cut: rows with these fields arrive on a port (or lie in a publication).

    ``domains`` (column id, bounds) carries what is known of the columns across the cut.  ``dealt`` are the columns by whose hash, in this
    order, an exchange in front has dealt the rows to tasks; none where rows are in one task, or anywhere.
    """

    domains: tuple[tuple[int, Domain], ...] = ()
    dealt: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaryNode(PhysicalNode):
    """Base of nodes with one input."""

    input: PhysicalNode

    @property
    def inputs(self) -> tuple[PhysicalNode, ...]:
        """The input."""
        return (self.input,)

    def with_inputs(self, new: tuple[PhysicalNode, ...]) -> PhysicalNode:
        """Over another input."""
        return replace(self, input=new[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryNode(PhysicalNode):
    """Base of nodes with a left (port 0) and a right (port 1) input."""

    left: PhysicalNode
    right: PhysicalNode

    @property
    def inputs(self) -> tuple[PhysicalNode, ...]:
        """Left, right."""
        return (self.left, self.right)

    def with_inputs(self, new: tuple[PhysicalNode, ...]) -> PhysicalNode:
        """Over other inputs."""
        return replace(self, left=new[0], right=new[1])


def positions(fields: tuple[Field, ...]) -> dict[int, int]:
    """Column id -> position in a batch with these fields."""
    return {f.id: i for i, f in enumerate(fields)}


def dealt_by(leaf: PhysicalNode, ids: Sequence[int]) -> tuple[int, ...]:
    """Where, among these columns that an operator keeps, those are by which the rows of an input are dealt to tasks."""
    where = {key: at for at, key in enumerate(ids)}
    dealt = leaf.dealt if isinstance(leaf, Input) else ()
    if not where.keys() >= set(dealt):
        raise InternalError(
            "state is cut by columns that it does not have", detail=f"dealt by {dealt}, kept {tuple(ids)}"
        )
    return tuple([where[key] for key in dealt])


class ByKind(dict[type, "_V | None"], Generic[_V]):
    """What belongs to nodes by the name of their class, or of one that it derives from: so that none is loaded that no plan has."""

    def __init__(self, named: Mapping[str, _V]) -> None:
        super().__init__()
        self._named = named

    def __missing__(self, kind: type) -> _V | None:
        names = [base.__name__ for base in kind.__mro__]
        found = self[kind] = next((self._named[name] for name in names if name in self._named), None)
        return found
