"""Loops: rounds until nothing is fed back."""

from __future__ import annotations

import pytest

from tableflow.errors import InternalError, MemoryLimitError
from tableflow.runtime.events import END_OF_TIME
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.loop import LoopControl
from tableflow.runtime.operator import Operator
from tests.runtime.simple import Batches, Calls, Limit, Plan, Through, batch, run, values


class Seen(Operator):
    """Passes each value once."""

    def __init__(self):
        self.seen = set()

    def process(self, got, port):
        new = [value for value in dict.fromkeys(values(got)) if value not in self.seen]
        self.seen.update(new)
        if new:
            yield batch(*new)


def step(function):
    """An operator that maps each value to some."""

    class Step(Operator):
        def process(self, got, port):
            following = [after for value in values(got) for after in function(value)]
            if following:
                yield batch(*following)

    return Step


def loop(plan, source, head, body, parallelism=1, exchange=ExchangeKind.HASH):
    start = plan.stage(Through, source=source)
    first = plan.stage(head, parallelism=parallelism)
    tail = plan.stage(body, parallelism=parallelism)
    last = plan.stage(Through)
    keys = {"keys": (0,)} if exchange is ExchangeKind.HASH else {}
    plan.edge(start, first, exchange, port=0, **keys)
    plan.edge(first, tail, ExchangeKind.FORWARD)
    plan.edge(tail, first, exchange, port=1, feedback=True, **keys)
    plan.edge(first, last, ExchangeKind.GATHER)
    return last


@pytest.mark.parametrize("parallelism", [1, 3])
def test_the_transitive_closure(scheduling, parallelism):
    pool, seed = scheduling
    graph = {1: [2, 3], 2: [4], 3: [4], 4: [1, 5], 5: [], 6: [7], 7: []}
    plan = Plan()
    last = loop(plan, Batches([batch(1)]), Seen, step(graph.__getitem__), parallelism)
    assert sorted(run(plan.job(last, pool, **seed))) == [1, 2, 3, 4, 5]


def test_rounds_are_marked_and_static_ports_end_once(scheduling):
    pool, seed = scheduling
    log = []
    plan = Plan()
    last = loop(
        plan,
        Batches([batch(3)]),
        lambda: Calls(log),
        step(lambda n: [n - 1] if n else []),
        exchange=ExchangeKind.FORWARD,
    )
    assert run(plan.job(last, pool, **seed)) == [3, 2, 1, 0]
    assert log == [
        ("open",), ("process", [3], 0), ("on_superstep", 0), *(
            entry for n in (2, 1, 0) for entry in (("process", [n], 1), ("on_superstep", 3 - n))
        ),
        ("on_end", 0), ("on_watermark", END_OF_TIME), ("on_end", 1), ("close",),
    ]  # fmt: skip


def test_an_endless_loop_ends_with_its_consumer(scheduling):
    pool, seed = scheduling
    plan = Plan()
    inner = loop(plan, Batches([batch(1)]), Through, step(lambda n: [n + 1]), exchange=ExchangeKind.FORWARD)
    last = plan.stage(lambda: Limit(5))
    plan.edge(inner, last)
    assert run(plan.job(last, pool, timeout="0", **seed)) == [1, 2, 3, 4, 5]


def test_feedback_is_outside_the_credits_but_not_outside_the_memory(scheduling):
    pool, seed = scheduling
    plan = Plan()
    double = step(lambda n: [n - 1, n - 1] if n else [])
    last = loop(plan, Batches([batch(9)]), Through, double, exchange=ExchangeKind.FORWARD)
    assert len(run(plan.job(last, pool, credits=1, batch_rows=1, **seed))) == 2**10 - 1
    plan = Plan()
    last = loop(plan, Batches([batch(30)]), Through, double, exchange=ExchangeKind.FORWARD)
    with pytest.raises(MemoryLimitError, match="the feedback from stage 2 to stage 1 was refused"):
        run(plan.job(last, pool, memory="100kb", credits=1, batch_rows=1000, **seed))


def test_a_loop_needs_feedback_and_feedback_a_loop(workers):
    plan = Plan()
    first, second = plan.stage(Through), plan.stage(Through)
    plan.edge(first, second, port=0)
    plan.edge(second, first, port=0)
    with pytest.raises(InternalError, match=r"stages \[0, 1\] form a loop without feedback"):
        plan.job(second, workers)
    plan = Plan()
    first, second = plan.stage(Through), plan.stage(Through)
    plan.edge(first, second, feedback=True)
    with pytest.raises(InternalError, match="does not close a loop"):
        plan.job(second, workers)


def test_heads_decide_together():
    control = LoopControl(3)
    first, second = control.report(0), control.report(5)
    assert first is second
    assert not first.ready
    control.leave()
    assert first.ready
    assert control.goes_on
    control.report(0)
    assert control.report(0).ready
    assert not control.goes_on
