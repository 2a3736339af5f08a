"""What a parent asks of a child, and whether a delivered property answers it."""

from __future__ import annotations

from tableflow.physical.properties import (
    ANYWHERE,
    SINGLE,
    OrderingKey,
    Partitioning,
    PartitioningKind,
    Properties,
)
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Required:
    """A partitioning and an ordering.

    ``exact``: two sides that meet must be cut by the same keys in the same order, so a coarser partitioning does
    not do.  Otherwise HASH(keys) only asks that rows with equal keys are in one task.
    """

    partitioning: Partitioning = ANYWHERE
    ordering: tuple[OrderingKey, ...] = ()
    exact: bool = False


NOTHING = Required()
IN_ONE_TASK = Required(SINGLE)


def hashed(keys: tuple[int, ...], *, exact: bool) -> Required:
    """Rows with equal keys in one task; see :class:`Required` for ``exact``."""
    return Required(Partitioning(PartitioningKind.HASH, keys), (), exact)


def partitioning_satisfies(delivered: Partitioning, required: Required) -> bool:
    """Whether rows lie where they are asked for."""
    wanted = required.partitioning
    match wanted.kind:
        case PartitioningKind.ARBITRARY:
            return True
        case PartitioningKind.SINGLE:
            return delivered.kind is PartitioningKind.SINGLE
        case PartitioningKind.REPLICATED:
            return delivered.kind is PartitioningKind.REPLICATED
        case PartitioningKind.HASH if required.exact:
            return delivered == wanted
        case PartitioningKind.HASH:
            if delivered.kind is PartitioningKind.SINGLE:
                return True
            by_key = delivered.kind in {PartitioningKind.HASH, PartitioningKind.RANGE}
            return by_key and bool(delivered.keys) and set(delivered.keys) <= set(wanted.keys)
        case PartitioningKind.RANGE:
            return delivered == wanted


def ordering_satisfies(delivered: tuple[OrderingKey, ...], required: tuple[OrderingKey, ...]) -> bool:
    """Whether the wanted ordering is a prefix of the delivered one."""
    return delivered[: len(required)] == required


def satisfies(delivered: Properties, required: Required) -> bool:
    """Whether no enforcer is needed."""
    return partitioning_satisfies(delivered.partitioning, required) and ordering_satisfies(
        delivered.ordering, required.ordering
    )
