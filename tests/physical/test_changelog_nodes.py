"""Plan nodes over changelogs: they travel as documents, and EXPLAIN says what they do."""

from __future__ import annotations

import pytest

from tableflow.expressions.nodes import AggregateCall, Call, ColumnRef, WindowCall
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import Input, PhysicalNode
from tableflow.physical.normalize import Normalize
from tableflow.physical.properties import OrderingKey
from tableflow.physical.text import describe
from tableflow.serialization import dumps, loads
from tableflow.types import BIGINT, BOOLEAN, INT, STRING, Field

K, V, RANK, OTHER, TOTAL = (
    Field(1, "k", INT),
    Field(2, "v", STRING),
    Field(3, "rank", BIGINT),
    Field(4, "o", INT),
    Field(5, "total", BIGINT),
)
NAMES = {f.id: f.name for f in (K, V, RANK, OTHER, TOTAL)}
LEFT, RIGHT = Input(fields=(K, V)), Input(fields=(OTHER,))


def ref(f: Field) -> ColumnRef:
    return ColumnRef(f.type, f.id, f.name)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (
            ChangelogAggregate(
                fields=(K, TOTAL), input=LEFT, keys=(K,), calls=(AggregateCall(BIGINT, "count"),), per_epoch=True
            ),
            "ChangelogAggregate by [k] count(*) per epoch",
        ),
        (
            ChangelogJoin(
                fields=(K, V, OTHER),
                left=LEFT,
                right=RIGHT,
                kind=HashJoinKind.LEFT,
                left_keys=(ref(K),),
                right_keys=(ref(OTHER),),
                null_safe=(True,),
                residual=(Call(BOOLEAN, "lt", (ref(K), ref(OTHER))),),
            ),
            "ChangelogJoin left on k is not distinct from o and k < o",
        ),
        (
            ChangelogTopN(
                fields=(K, V, RANK),
                input=LEFT,
                partition=(1,),
                order=(OrderingKey(2, descending=True),),
                limit=3,
                offset=1,
                rank=RANK,
            ),
            "ChangelogTopN 3 offset 1 by [k] order v desc with rank",
        ),
        (
            ChangelogOver(
                fields=(K, V, TOTAL),
                input=LEFT,
                partition=(1,),
                order=(),
                results=(TOTAL,),
                calls=(WindowCall(BIGINT, "row_number"),),
            ),
            "ChangelogOver by [k] row_number()",
        ),
        (
            EventTimeOver(
                fields=(K, V, TOTAL),
                input=LEFT,
                partition=(1,),
                order=(OrderingKey(2),),
                results=(TOTAL,),
                calls=(WindowCall(BIGINT, "row_number"),),
                ttl=5_000_000,
            ),
            "EventTimeOver by [k] order v row_number() for INTERVAL '5' SECOND",
        ),
        (Normalize(fields=(K, V), input=LEFT, key=(1,)), "Normalize by [k]"),
    ],
)
def test_documents_and_texts(node: PhysicalNode, text: str) -> None:
    assert loads(dumps(node)) == node
    assert describe(node, NAMES).startswith(text)
