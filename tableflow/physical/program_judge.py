"""Programs for runs of filters and projections, and what is known of single expressions before one is made.

Invariant: an expression is judged once for a whole plan, because the answer does not depend on where it stands: a column has
one type and the same bounds everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tableflow.columnar.kernels.programs import ProgramDefinition
from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import Expression
from tableflow.physical.filter import FilterRows
from tableflow.physical.program_builder import NotCompilableError
from tableflow.physical.program_compiler import Compiler
from tableflow.physical.program_facts import ExpressionFacts, Judgement
from tableflow.physical.project import ProjectColumns
from tableflow.types import Field

Step: TypeAlias = FilterRows | ProjectColumns
Domains: TypeAlias = Mapping[int, Domain]


class Judge:
    """Which expressions of a plan can be compiled; compiles each of them once to know."""

    def __init__(self, domains: Domains) -> None:
        self.domains = domains
        self.facts = ExpressionFacts()
        self._known: dict[int, Judgement | None] = {}

    def judge(self, expression: Expression, inputs: Sequence[Field]) -> Judgement | None:
        """The judgement on an expression over such rows; None if it has no instructions."""
        number = self.facts.of(expression).number
        if number not in self._known:
            try:
                self._known[number] = Compiler(inputs, self).judged(expression)
            except NotCompilableError:
                self._known[number] = None
        return self._known[number]


def compile_steps(
    inputs: tuple[Field, ...], domains: Domains, steps: Sequence[Step], judge: Judge | None = None
) -> ProgramDefinition:
    """One program for filters and projections one after the other; NotCompilableError if some expression has none."""
    compiler = Compiler(inputs, judge or Judge(domains))
    for i, step in enumerate(steps):
        if isinstance(step, FilterRows):
            compiler.filter(step.conjuncts)
        else:
            compiler.define(
                step.fields, step.expressions, checked=any(isinstance(s, FilterRows) for s in steps[i + 1 :])
            )
    return compiler.finish(steps[-1].fields)
