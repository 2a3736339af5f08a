"""Assembling a program: registers, constants, errors, and values with the bounds that are known of them.

Invariant: a :class:`Value`'s bounds hold for every lane that is neither NULL nor in error, so an instruction chosen by
them (narrow, unchecked) cannot go wrong.  Constants are made before everything else and outlive filters; every other
register is gone after a filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from tableflow import types as t
from tableflow.columnar.kernels.programs import Instruction, LaneError, ProgramDefinition, ProgramOutput
from tableflow.errors import Span
from tableflow.records import dataclass

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
DECIMAL_LIMIT = 10**38 - 1
_PRICES = {
    "like": 48,
    "matches": 64,
    "extract": 64,
    "replace": 128,
    "substitute": 64,
    "substituted_length": 32,
    "lower": 32,
    "upper": 32,
    "in": 4,
    "div": 6,
    "mod": 6,
    "by_code": 0,
}
_LOADS = {"bool": 2, "i32": 2, "i64": 4, "f64": 4, "i128": 8, "str": 8}
EXACT_KINDS = ("i32", "i64", "i128")


class NotCompilableError(Exception):
    """The expression has no instructions: the reference evaluator must compute it."""


@dataclass(slots=True)
class Value:
    """A register, its kind, bounds of exact kinds, and whether a lane may be in error; never changed once it is made."""

    register: int
    kind: str
    low: int = 0
    high: int = 0
    fails: bool = False
    constant: bool = False
    literal: Any = None

    def within(self, bounds: tuple[int, int]) -> bool:
        """Whether every lane lies in this range."""
        return bounds[0] <= self.low and self.high <= bounds[1]


def type_bounds(of: t.SqlType) -> tuple[int, int]:
    """The storage values that an exact type holds."""
    match of:
        case t.IntegerType(bits=bits):
            return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        case t.DecimalType(precision=precision):
            return -(10**precision - 1), 10**precision - 1
        case t.DateType():
            return INT32
        case _:
            return INT64


def kind_of(of: t.SqlType, bounds: tuple[int, int]) -> str:
    """The register kind of a column or constant with these bounds."""
    match of:
        case t.BooleanType():
            return "bool"
        case t.IntegerType():
            return "i32" if INT32[0] <= bounds[0] and bounds[1] <= INT32[1] else "i64"
        case t.DecimalType():
            return "i64" if INT64[0] <= bounds[0] and bounds[1] <= INT64[1] else "i128"
        case t.FloatType():
            return "f64"
        case t.DateType():
            return "i32"
        case t.TimeType() | t.TimestampType():
            return "i64"
        case t.StringType() | t.BytesType():
            return "str"
        case _:
            raise NotCompilableError(f"values of type {of}")


def scale_of(of: t.SqlType) -> int:
    """Digits behind the point."""
    return of.scale if isinstance(of, t.DecimalType) else 0


def is_exact(of: t.SqlType) -> bool:
    """Integers and decimals."""
    return isinstance(of, (t.IntegerType, t.DecimalType))


def storage_format(of: t.SqlType, kind: str) -> str:
    """The Arrow format in which a register's values are stored."""
    match of:
        case t.BooleanType():
            return "b"
        case t.IntegerType(bits=bits):
            return "i" if kind == "i32" and bits == 64 else {8: "c", 16: "s", 32: "i", 64: "l"}[bits]
        case t.DecimalType(precision=precision, scale=scale):
            return f"d:{precision},{scale}" if kind == "i128" else "l"
        case t.FloatType(bits=bits):
            return "f" if bits == 32 else "g"
        case t.StringType():
            return "u"
        case t.BytesType():
            return "z"
        case t.DateType():
            return "tdD"
        case t.TimeType(precision=precision):
            return "ttu" if precision <= 6 else "ttn"
        case t.TimestampType(precision=precision, zoned=zoned):
            return f"ts{'u' if precision <= 6 else 'n'}:{'UTC' if zoned else ''}"
        case _:
            raise NotCompilableError(f"columns of type {of}")


def _price(op: str, kind: str) -> int:
    if op == "load":
        return _LOADS[kind]
    return _PRICES.get(op, 8 if kind == "str" else 1)


_Draft: TypeAlias = tuple[str, int, tuple[int, ...], tuple[Any, ...], int]
"""What an instruction will be: most are made to be judged and thrown away."""


class Builder:
    """Collects a program; see the module."""

    def __init__(self) -> None:
        self.registers: list[str] = []
        self._made: list[_Draft] = []
        self._constants: list[_Draft] = []
        self._known: dict[tuple[str, str], Value] = {}
        self._errors: dict[LaneError, int] = {}

    def error(self, message: str, span: Span | None) -> int:
        """The code of an error."""
        return self._errors.setdefault(LaneError(message, span), len(self._errors) + 1)

    def emit(
        self,
        op: str,
        kind: str,
        args: Sequence[Value],
        bounds: tuple[int, int] = (0, 0),
        immediates: tuple[Any, ...] = (),
        error: int = 0,
    ) -> Value:
        """An instruction that makes a new register."""
        register = self._register(kind)
        self._made.append((op, register, tuple([a.register for a in args]), immediates, error))
        fails = error != 0 or any(a.fails for a in args)
        return Value(register, kind, bounds[0], bounds[1], fails)

    def act(self, op: str, args: Sequence[Value] = (), immediates: tuple[Any, ...] = ()) -> None:
        """An instruction without a result."""
        self._made.append((op, -1, tuple([a.register for a in args]), immediates, 0))

    def constant(self, kind: str, value: Any) -> Value:
        """A register that holds the same storage value in every lane; None is NULL."""
        key = (kind, repr(value))
        if key not in self._known:
            register = self._register(kind)
            self._constants.append((f"const.{kind}", register, (), (value,), 0))
            exact = kind in EXACT_KINDS and value is not None
            low = high = int(value) if exact else 0
            self._known[key] = Value(register, kind, low, high, constant=True, literal=value)
        return self._known[key]

    def _register(self, kind: str) -> int:
        self.registers.append(kind)
        return len(self.registers) - 1

    def block(self, column: int) -> int:
        """Opens a block over one string column; give what this returns to :meth:`end_block`."""
        self.act("by_code", (), (column, 0))
        return len(self._made) - 1

    def end_block(self, at: int, result: Value) -> None:
        """The instructions since :meth:`block` are the block; if its result is not their last, they stay without one."""
        op, out, args, (column, _), error = self._made[at]
        if self._made[-1][1] != result.register:
            del self._made[at]
            return
        self._made[at] = (op, out, args, (column, len(self._made) - at - 1), error)

    def convert(self, value: Value, kind: str, scale: int = 0) -> Value:
        """The same numbers in another kind: wider, or narrower where the bounds allow it, or (descaled) as f64."""
        if value.kind == kind:
            return value
        bounds = (value.low, value.high)
        if value.constant and (kind != "f64" or value.literal is None):
            return self.constant(kind, value.literal)
        if kind == "f64":
            if value.kind == "i32" and scale == 0:
                return self.emit("i32_to_f64", "f64", [value])
            wide = self.convert(value, "i64") if value.kind == "i32" else value
            return self.emit(f"{wide.kind}_to_f64", "f64", [wide], immediates=(10**scale,))
        if value.kind == "i128" and kind == "i32":
            value = self.convert(value, "i64")
        return self.emit(f"{value.kind}_to_{kind}", kind, [value], bounds)

    def cost(self) -> int:
        """A rough price per lane, to order filters by."""
        return sum([_price(*made[0].partition(".")[::2]) for made in self._made])

    def finish(self, inputs: tuple[t.Field, ...], outputs: Sequence[ProgramOutput]) -> ProgramDefinition:
        """The program."""
        return ProgramDefinition(
            inputs,
            tuple(self.registers),
            tuple([Instruction(*made) for made in (*self._constants, *self._made)]),
            tuple(outputs),
            tuple(self._errors),
        )
