"""What is known of a stage from the operator at its head."""

from __future__ import annotations

from tableflow.physical.hash_join import HashJoin, JoinDistribution
from tableflow.runtime.graph import Stage


def prefers_port(stage: Stage) -> bool:
    """Whether the head reads one input to its end before another: a join that builds its own table."""
    if not stage.operators:
        return False
    head = stage.operators[0].definition
    return isinstance(head, HashJoin) and head.distribution is not JoinDistribution.PUBLISHED
