"""The last pass over a physical plan: runs of filters and projections become pipelines.

Invisible outside: the fused plan gives the same rows, errors and snapshots.  What has no instructions splits a run; of a
filter or projection that is only partly so, the part that can be fused is split off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tableflow.config import FUSION, Settings
from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import ColumnRef, Expression, children, column_ids
from tableflow.physical.computing import Computing, largest_id
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import ByKind, Input, PhysicalNode
from tableflow.physical.pipeline import Pipeline
from tableflow.physical.program_builder import NotCompilableError
from tableflow.physical.program_judge import Judge, Step, compile_steps
from tableflow.physical.project import ProjectColumns
from tableflow.records import replace
from tableflow.types import TypeFamily, family

if TYPE_CHECKING:
    from tableflow.physical.fork import Fork
    from tableflow.physical.materialize import SharedResult
    from tableflow.physical.scan import TableScan
    from tableflow.physical.set_operation import UnionAll

Domains = dict[int, Domain]


def fuse(root: PhysicalNode, settings: Settings) -> PhysicalNode:
    """The plan with its runs fused; the plan itself when ``execution.fusion`` is off."""
    if not settings.get(FUSION):
        return root
    judge = Judge(known_domains(root))
    return Fusion(judge).fused(Computing(largest_id(root) + 1, judge).lifted(root))


def known_domains(root: PhysicalNode) -> Domains:
    """Bounds of all columns of a plan that have some, by id."""
    domains: Domains = {}
    for child in root.inputs:
        domains |= known_domains(child)
    known = _KNOWN[type(root)]
    if known is not None:
        known(root, domains)
    return domains


def _stated(node: TableScan | Input, domains: Domains) -> None:
    domains |= dict(node.domains)


def _renamed(node: SharedResult | Fork, domains: Domains) -> None:
    pairs = zip(node.sources, node.fields, strict=True)
    domains |= {new.id: domains[old.id] for old, new in pairs if old.id in domains}


def _united(node: UnionAll, domains: Domains) -> None:
    for i, field in enumerate(node.fields):
        _unite(domains, field.id, [branch.fields[i].id for branch in node.branches])


_KNOWN: ByKind[Callable[[Any, Domains], None]] = ByKind({
    "TableScan": _stated, "Input": _stated, "SharedResult": _renamed, "Fork": _renamed, "UnionAll": _united,
})  # fmt: skip
"""What nodes say of their columns' bounds."""


def _unite(domains: Domains, to: int, branches: list[int]) -> None:
    parts = [domains.get(branch) for branch in branches]
    known = [part for part in parts if part is not None]
    lows = [part.minimum for part in known if part.minimum is not None]
    highs = [part.maximum for part in known if part.maximum is not None]
    domains[to] = Domain(
        min(lows) if len(lows) == len(parts) else None,
        max(highs) if len(highs) == len(parts) else None,
        any(part is None or part.nullable for part in parts),
    )


class Fusion:
    """Makes pipelines of a plan's runs, knowing bounds of its columns."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def fused(self, node: PhysicalNode) -> PhysicalNode:
        """The node over fused inputs; a run that ends in it as pipelines."""
        if not isinstance(node, (FilterRows, ProjectColumns)):
            return _with_terminal(node.with_inputs(tuple(self.fused(child) for child in node.inputs)))
        steps: list[Step] = []
        below: PhysicalNode = node
        while isinstance(below, (FilterRows, ProjectColumns)):
            steps.append(below)
            below = below.input
        result = self.fused(below)
        steps.reverse()
        return self._whole(steps, result) or self._in_parts(steps, result)

    def _in_parts(self, steps: list[Step], result: PhysicalNode) -> PhysicalNode:
        """Pipelines of what can be compiled, with the rest between them."""
        run: list[Step] = []
        for step in [part for whole in steps for part in self._split(whole)]:
            if self._compilable(step):
                run.append(step)
                continue
            result = step.with_inputs((self._pipeline(run, result),))
            run = []
        return self._pipeline(run, result)

    def _pipeline(self, run: list[Step], below: PhysicalNode) -> PhysicalNode:
        """One pipeline for the run, or for its two halves if together they are too much for one program."""
        if not run:
            return below
        whole = self._whole(run, below)
        if whole is not None:
            return whole
        half = len(run) // 2
        if half == 0:
            return run[0].with_inputs((below,))
        return self._pipeline(run[half:], self._pipeline(run[:half], below))

    def _whole(self, run: list[Step], below: PhysicalNode) -> Pipeline | None:
        """One pipeline for the run; None if something in it has no instructions."""
        try:
            program = compile_steps(below.fields, self._judge.domains, run, self._judge)
        except NotCompilableError:
            return None
        steps = tuple([step.with_inputs((Input(fields=step.input.fields),)) for step in run])
        return Pipeline(fields=run[-1].fields, facts=run[-1].facts, input=below, steps=steps, program=program)

    def _compilable(self, step: Step) -> bool:
        return all(self._judge.judge(e, step.input.fields) is not None for e in _computed(step))

    def _split(self, step: Step) -> tuple[Step, ...]:
        """The part of a step that can be compiled, and above it the rest."""
        parts = [self._judge.judge(e, step.input.fields) is not None for e in _computed(step)]
        if all(parts) or not any(parts):
            return (step,)
        if isinstance(step, FilterRows):
            return self._split_filter(step)
        return self._split_projection(step)

    def _split_filter(self, step: FilterRows) -> tuple[Step, ...]:
        """Conjuncts that cannot fail may go first: others then see only rows that these accept, as they must."""
        judged = [(c, self._judge.judge(c, step.input.fields)) for c in step.conjuncts]
        first = tuple(c for c, found in judged if found is not None and not found.fails)
        if not first:
            return (step,)
        below = replace(step, conjuncts=first)
        return below, replace(step, input=below, conjuncts=tuple(c for c in step.conjuncts if c not in first))

    def _split_projection(self, step: ProjectColumns) -> tuple[Step, ...]:
        pairs = list(zip(step.fields, step.expressions, strict=True))
        computed = [(f, e) for f, e in pairs if not isinstance(e, ColumnRef)]
        early = [(f, e) for f, e in computed if self._judge.judge(e, step.input.fields) is not None]
        done = {f.id for f, _ in early}
        late = [e for f, e in pairs if f.id not in done]
        read = frozenset().union(*(column_ids(e) for e in late))
        kept = [f for f in step.input.fields if f.id in read]
        below = replace(
            step,
            fields=(*kept, *(f for f, _ in early)),
            expressions=(*(ColumnRef(f.type, f.id, f.name) for f in kept), *(e for _, e in early)),
        )
        above = tuple(ColumnRef(f.type, f.id, f.name) if f.id in done else e for f, e in pairs)
        return below, replace(step, input=below, expressions=above)


def _with_terminal(node: PhysicalNode) -> PhysicalNode:
    """An aggregation becomes the terminal of the pipeline below it, if all it reads are flat columns."""
    if type(node).__name__ != "HashAggregate":
        return node
    from tableflow.physical.hash_aggregate import AggregatePhase, HashAggregate

    assert isinstance(node, HashAggregate)
    below = node.input
    if node.phase is AggregatePhase.FINAL or not isinstance(below, Pipeline):
        return node
    read = [e for call in node.calls for e in children(call)]
    if isinstance(below.steps[-1], HashAggregate) or not all(isinstance(e, ColumnRef) for e in read):
        return node
    types = [*(key.type for key in node.keys), *(e.type for e in read)]
    if any(family(of) is TypeFamily.NESTED for of in types):
        return node
    steps = (*below.steps, node.with_inputs((Input(fields=below.fields),)))
    return Pipeline(fields=node.fields, facts=node.facts, input=below.input, steps=steps, program=below.program)


def _computed(step: Step) -> tuple[Expression, ...]:
    """Expressions of a step that are more than a column."""
    if isinstance(step, FilterRows):
        return step.conjuncts
    return tuple(e for e in step.expressions if not isinstance(e, ColumnRef))
