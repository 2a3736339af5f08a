"""Bound expressions as programs: what can be computed natively, and with which instructions.

Invariant: a compiled expression gives what the reference evaluator gives, lane by lane, errors and NULLs included; what
has no instruction raises NotCompilableError and is left to the evaluator.  An expression over one string column becomes a
block, which is computed once per entry where the column is dictionary-coded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tableflow import types as t
from tableflow.columnar.kernels.programs import ProgramDefinition, ProgramOutput
from tableflow.expressions.nodes import Call, Case, Cast, Chain, ColumnRef, Expression, Literal
from tableflow.physical.node import positions
from tableflow.physical.program_builder import (
    EXACT_KINDS,
    Builder,
    NotCompilableError,
    Value,
    is_exact,
    kind_of,
    scale_of,
    storage_format,
    type_bounds,
)
from tableflow.physical.program_facts import Judgement
from tableflow.physical.program_functions import FUNCTIONS
from tableflow.physical.program_numbers import Numbers
from tableflow.physical.program_order import kept_part
from tableflow.records import replace
from tableflow.types import Field

if TYPE_CHECKING:
    from tableflow.physical.program_judge import Judge


class Compiler:
    """Compiles expressions over rows with these fields into one program."""

    def __init__(self, inputs: Sequence[Field], judge: Judge) -> None:
        self.inputs = tuple(inputs)
        self.domains = judge.domains
        self._judge = judge
        self._facts = judge.facts
        self.builder = Builder()
        self.numbers = Numbers(self.builder)
        self._places = positions(self.inputs)
        self._defined: dict[int, Expression] = {}
        self._memo: dict[int, Value] = {}
        self._in_block = False
        self._steps = 0

    # Steps

    def filter(self, conjuncts: Sequence[Expression]) -> None:
        """Keeps rows for which all are TRUE; those that may fail come last and each for itself."""
        if len(conjuncts) == 1:
            if self._filter_by(conjuncts[0]).fails:
                self.builder.act("settle")
            return
        groups: dict[frozenset[int], list[Expression]] = {}
        prices: dict[frozenset[int], int] = {}
        failing: list[Expression] = []
        for conjunct in conjuncts:
            found = self._tried(conjunct)
            if found.fails:
                failing.append(conjunct)
                continue
            reads = self._reads(conjunct)
            groups.setdefault(reads, []).append(conjunct)
            prices[reads] = prices.get(reads, 0) + found.price
        ranks = {
            reads: (1.0 - kept_part(group, self.domains)) / max(prices[reads], 1) for reads, group in groups.items()
        }
        for reads in sorted(groups, key=lambda reads: -ranks[reads]):
            members = groups[reads]
            self._filter_by(members[0] if len(members) == 1 else Call(t.BOOLEAN, "and", tuple(members)))
        for conjunct in failing:
            self._filter_by(conjunct)
        if failing:
            self.builder.act("settle")

    def _filter_by(self, condition: Expression) -> Value:
        value = self.value(condition)
        self.builder.act("filter.bool", [value])
        self._memo.clear()
        return value

    def define(self, fields: Sequence[Field], expressions: Sequence[Expression], *, checked: bool) -> None:
        """Columns of a projection.  With ``checked`` those that may fail are computed here: a filter follows."""
        for field, expression in zip(fields, expressions, strict=True):
            if checked and not isinstance(expression, ColumnRef):
                value = self.value(expression) if self._tried(expression).fails else None
                if value is not None:
                    self.builder.act(f"check.{value.kind}", [value])
            if not (isinstance(expression, ColumnRef) and expression.id == field.id):
                self._defined[field.id] = expression

    def finish(self, fields: Sequence[Field]) -> ProgramDefinition:
        """The program whose output columns are these."""
        values = [self._output(field) for field in fields]
        return self.builder.finish(self.inputs, values)

    def _output(self, field: Field) -> ProgramOutput:
        expression = self._resolved(ColumnRef(field.type, field.id))
        if isinstance(expression, ColumnRef):
            return ProgramOutput(field.type, column=self._places[expression.id])
        value = self.value(expression)
        if value.fails:
            self.builder.act(f"check.{value.kind}", [value])
        return ProgramOutput(field.type, register=value.register, format=storage_format(field.type, value.kind))

    def judged(self, expression: Expression) -> Judgement:
        """What compiling the expression as the first one of a program says of it."""
        value = self.value(expression)
        return Judgement(value.fails, self.builder.cost())

    def _tried(self, expression: Expression) -> Judgement:
        """The judgement on an expression that may read columns defined by steps before."""
        if self._defined.keys().isdisjoint(self._facts.of(expression).columns):
            found = self._judge.judge(expression, self.inputs)
            if found is None:
                raise NotCompilableError("an expression without instructions")
            return found
        trial = Compiler(self.inputs, self._judge)
        trial._defined = self._defined
        return trial.judged(expression)

    # Columns

    def _resolved(self, expression: Expression) -> Expression:
        while isinstance(expression, ColumnRef) and expression.id in self._defined:
            expression = self._defined[expression.id]
        return expression

    def _reads(self, expression: Expression) -> frozenset[int]:
        """Positions of the input columns below an expression."""
        found: set[int] = set()
        for column in self._facts.of(expression).columns:
            below = self._defined.get(column)
            if below is None:
                found.add(self._place(column))
            else:
                found |= self._reads(below)
        return frozenset(found)

    def _place(self, column: int) -> int:
        if column not in self._places:
            raise NotCompilableError(f"column {column} is not there")
        return self._places[column]

    def _column(self, column: ColumnRef) -> Value:
        place = self._place(column.id)
        of = self.inputs[place].type
        bounds = type_bounds(of)
        domain = self.domains.get(column.id)
        if domain is not None and kind_of(of, bounds) in EXACT_KINDS:
            low = bounds[0] if domain.minimum is None else max(bounds[0], int(domain.minimum))
            high = bounds[1] if domain.maximum is None else min(bounds[1], int(domain.maximum))
            bounds = (low, max(low, high))
        kind = kind_of(of, bounds)
        return self.builder.emit(f"load.{kind}", kind, [], bounds, (place,))

    # Values

    def value(self, expression: Expression) -> Value:
        """The register that holds an expression's values."""
        expression = self._resolved(expression)
        if isinstance(expression, Literal):
            return self._literal(expression)
        number = self._facts.of(expression).number
        known = self._memo.get(number)
        if known is None:
            known = self._in_new_block(expression) if self._is_block(expression) else self._compiled(expression)
            self._memo[number] = known
        return known

    def _is_block(self, expression: Expression) -> bool:
        if self._in_block or isinstance(expression, ColumnRef):
            return False
        reads = self._reads(expression)
        return len(reads) == 1 and isinstance(self.inputs[min(reads)].type, (t.StringType, t.BytesType))

    def _in_new_block(self, expression: Expression) -> Value:
        outside, self._memo = self._memo, {}
        self._in_block = True
        at = self.builder.block(min(self._reads(expression)))
        value = self._compiled(expression)
        self.builder.end_block(at, value)
        self._in_block = False
        self._memo = outside
        return value

    def _literal(self, literal: Literal) -> Value:
        value = literal.value
        if isinstance(literal.type, t.FloatType) and value is not None:
            value = float(value)
        bounds = (value, value) if isinstance(value, int) else (0, 0)
        return self.builder.constant(kind_of(literal.type, bounds), value)

    def _compiled(self, expression: Expression) -> Value:
        match expression:
            case ColumnRef():
                return self._column(expression)
            case Call():
                return self._call(expression)
            case Chain():
                return self._chain(expression)
            case Case():
                return self._case(expression)
            case Cast():
                return self._cast(expression)
            case _:
                raise NotCompilableError(type(expression).__name__)

    def _call(self, call: Call) -> Value:
        made = FUNCTIONS.get(call.function)
        if made is None:
            raise NotCompilableError(f"function {call.function!r}")
        return made(self, call)

    def _chain(self, chain: Chain) -> Value:
        """Step by step; the result so far is called a column of its own, whose value is known."""
        value, left = self.value(chain.first), chain.first
        for name, operand in zip(chain.operators, chain.operands, strict=True):
            self._steps -= 1
            left = ColumnRef(left.type, self._steps)
            self._memo[self._facts.of(left).number] = value
            value, left = self._call(Call(chain.type, name, (left, operand), chain.span)), chain
        return value

    def _case(self, case: Case) -> Value:
        result = self.as_type(case.otherwise, case.type)
        for condition, arm in zip(reversed(case.conditions), reversed(case.results), strict=True):
            result = self.choose("select", [self.value(condition)], self.as_type(arm, case.type), result)
        return result

    def as_type(self, expression: Expression, of: t.SqlType) -> Value:
        """A value at the scale of a type of the same family."""
        value = self.value(expression)
        if isinstance(expression.type, t.NullType):
            raise NotCompilableError("an untyped NULL")
        if is_exact(of):
            return self.numbers.scaled(value, scale_of(of) - scale_of(expression.type))
        if isinstance(of, t.FloatType):
            return self.numbers.real(value, expression.type)
        return value

    def choose(self, op: str, before: Iterable[Value], a: Value, b: Value) -> Value:
        """An instruction that takes each lane from one of two values."""
        if a.kind != b.kind:
            a, b = self.numbers.same_kind(a, b)
        known = [v for v in (a, b) if not (v.constant and v.literal is None)] or [a]
        bounds = (min(v.low for v in known), max(v.high for v in known))
        return self.builder.emit(f"{op}.{a.kind}", a.kind, [*before, a, b], bounds)

    def _cast(self, cast: Cast) -> Value:
        operand = self.value(cast.operand)
        result = self._converted(operand, cast)
        if not cast.lenient or not result.fails or result == operand:
            return result
        present = self.builder.emit(f"is_not_null.{operand.kind}", "bool", [operand])
        lenient = self.builder.emit(f"lenient.{result.kind}", result.kind, [result, present], (result.low, result.high))
        return replace(lenient, fails=operand.fails)

    def _converted(self, operand: Value, cast: Cast) -> Value:
        source, to, build = cast.operand.type, cast.type, self.builder
        if source == to:
            return operand
        if cast.zone is not None:
            raise NotCompilableError("the wall clock of a time zone")
        message = f"a {source} value does not fit into {to}"
        match source, to:
            case t.StringType(), t.StringType(length=None):
                return operand
            case t.StringType(), t.StringType(length=length, fixed=False) if length is not None:
                start, count = build.constant("i64", 1), build.constant("i64", length)
                cut = build.emit("substring.str", "str", [operand, start, count], error=build.error(message, cast.span))
                return replace(cut, fails=operand.fails)
            case t.DateType(), t.TimestampType(precision=precision) if precision <= 6:
                return self._midnight(operand, build.error(message, cast.span))
            case t.TimestampType(precision=precision), t.DateType():
                unit = 86_400_000_000 * (1 if precision <= 6 else 1000)
                days = build.emit("floor_div.i64", "i64", [operand], type_bounds(t.DATE), (unit,))
                return build.convert(days, "i32")
            case _:
                return self.numbers.cast(operand, source, to, message, cast.span)

    def _midnight(self, days: Value, error: int) -> Value:
        unit = 86_400_000_000
        most = (2**63 - 1) // unit - 1
        days = self.numbers.narrowed(days, (-most, most), error)
        factor = self.builder.constant("i64", unit)
        bounds = (days.low * unit, days.high * unit)
        return self.builder.emit("mul_wrapping.i64", "i64", [self.builder.convert(days, "i64"), factor], bounds)
