"""Numbers as instructions: register kinds and checks by interval analysis, scales of decimals, casts."""

from __future__ import annotations

from tableflow import types as t
from tableflow.errors import Span
from tableflow.physical.program_builder import (
    DECIMAL_LIMIT,
    INT32,
    INT64,
    Builder,
    NotCompilableError,
    Value,
    is_exact,
    scale_of,
    type_bounds,
)

Bounds = tuple[int, int]
_LIMIT: Bounds = (-DECIMAL_LIMIT, DECIMAL_LIMIT)
_WIDE: Bounds = (-(2**127), 2**127 - 1)


def _inside(bounds: Bounds, of: Bounds) -> bool:
    return of[0] <= bounds[0] and bounds[1] <= of[1]


def _combined(op: str, a: Value, b: Value) -> Bounds:
    match op:
        case "add":
            return a.low + b.low, a.high + b.high
        case "sub":
            return a.low - b.high, a.high - b.low
        case _:
            corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return min(corners), max(corners)


def _divide_away(value: int, by: int) -> int:
    magnitude = (2 * abs(value) + by) // (2 * by)
    return -magnitude if value < 0 else magnitude


class Numbers:
    """Instructions for numbers, given to one builder."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def _exactly(self, op: str, a: Value, b: Value) -> Value:
        """A sum, difference or product that is kept whole; NotCompilableError where 38 digits may not do."""
        bounds = _combined(op, a, b)
        build = self.builder
        if a.within(INT64) and b.within(INT64) and _inside(bounds, INT64):
            return build.emit(f"{op}_wrapping.i64", "i64", [build.convert(a, "i64"), build.convert(b, "i64")], bounds)
        if not _inside(bounds, _LIMIT):
            raise NotCompilableError("intermediate results of more than 38 digits")
        return build.emit(f"{op}_wrapping.i128", "i128", [build.convert(a, "i128"), build.convert(b, "i128")], bounds)

    def scaled(self, value: Value, digits: int) -> Value:
        """Times a power of ten, or divided by it and rounded half away from zero."""
        if digits == 0 or (value.constant and value.literal is None):
            return value
        if value.constant:
            number = value.literal * 10**digits if digits > 0 else _divide_away(value.literal, 10**-digits)
            if abs(number) > DECIMAL_LIMIT:
                raise NotCompilableError("a constant of more than 38 digits")
            return self.builder.constant("i64" if INT64[0] <= number <= INT64[1] else "i128", number)
        if digits > 0:
            factor = 10**digits
            return self._exactly("mul", value, self.builder.constant("i64" if factor <= INT64[1] else "i128", factor))
        by = 10**-digits
        kind = "i64" if value.within(INT64) and by <= INT64[1] else "i128"
        bounds = (_divide_away(value.low, by), _divide_away(value.high, by))
        return self.builder.emit(f"scale_down.{kind}", kind, [self.builder.convert(value, kind)], bounds, (by,))

    def fitted(self, value: Value, of: t.SqlType, error: int) -> Value:
        """The value, in error where the type does not hold it."""
        return self.narrowed(value, type_bounds(of), error)

    def arithmetic(self, op: str, a: Value, b: Value, scales: tuple[int, int], of: t.SqlType, error: int) -> Value:
        """add, sub, mul of exact numbers with these scales, as the type, in error where it does not fit."""
        if op == "mul":
            have = scales[0] + scales[1]
        else:
            have = max(scales)
            a, b = self.scaled(a, have - scales[0]), self.scaled(b, have - scales[1])
        scale = scale_of(of)
        bounds = _combined(op, a, b)
        if _inside(bounds, INT64) and a.within(INT64) and b.within(INT64):
            result = self._exactly(op, a, b)
        elif isinstance(of, t.IntegerType):
            args = [self.builder.convert(a, "i64"), self.builder.convert(b, "i64")]
            bounds = (max(bounds[0], INT64[0]), min(bounds[1], INT64[1]))
            result = self.builder.emit(f"{op}.i64", "i64", args, bounds, (), error)
        elif _inside(bounds, _LIMIT) or scale < have:
            result = self._exactly(op, a, b)
        else:
            args = [self.builder.convert(a, "i128"), self.builder.convert(b, "i128")]
            bounds = (max(bounds[0], _LIMIT[0]), min(bounds[1], _LIMIT[1]))
            result = self.builder.emit(f"{op}.i128", "i128", args, bounds, (), error)
        return self.fitted(self.scaled(result, scale - have), of, error)

    def aligned(self, a: Value, b: Value, scales: tuple[int, int]) -> tuple[Value, Value, int]:
        """Both at the larger scale and in one kind."""
        scale = max(scales)
        a, b = self.scaled(a, scale - scales[0]), self.scaled(b, scale - scales[1])
        return (*self.same_kind(a, b), scale)

    def comparable(self, a: Value, b: Value, scales: tuple[int, int]) -> tuple[Value, Value]:
        """As :meth:`aligned`, for comparing alone: what would have too many digits is beyond all that the other may be."""
        scale = max(scales)
        return self.same_kind(self._scaled_up(a, scale - scales[0]), self._scaled_up(b, scale - scales[1]))

    def _scaled_up(self, value: Value, digits: int) -> Value:
        """Times a power of ten, at most the first number of 39 digits."""
        by = 10**digits
        beyond = DECIMAL_LIMIT + 1
        if _inside((value.low * by, value.high * by), _LIMIT) or (value.constant and value.literal is None):
            return self.scaled(value, digits)
        if value.constant:
            return self.builder.constant("i128", max(-beyond, min(value.literal * by, beyond)))
        bounds = max(-beyond, value.low * by), min(value.high * by, beyond)
        return self.builder.emit("scale_up.i128", "i128", [self.builder.convert(value, "i128")], bounds, (by,))

    def same_kind(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Both in the wider kind of the two; a constant takes the other's kind when it fits."""
        kinds = ("i32", "i64", "i128")
        if a.kind == b.kind:
            return a, b
        for one, other in ((a, b), (b, a)):
            fits = other.literal is None or one.kind == "i128" or other.within(INT32 if one.kind == "i32" else INT64)
            if other.constant and not one.constant and fits:
                other = self.builder.convert(other, one.kind)
                return (one, other) if one is a else (other, one)
        kind = max(a.kind, b.kind, key=kinds.index)
        return self.builder.convert(a, kind), self.builder.convert(b, kind)

    def quotient(self, op: str, a: Value, b: Value, of: t.SqlType, zero: int, overflow: int) -> Value:
        """Div or mod of whole numbers at one scale."""
        kind = "i64" if a.within(INT64) and b.within(INT64) else "i128"
        largest = max(abs(a.low), abs(a.high))
        args = [self.builder.convert(a, kind), self.builder.convert(b, kind)]
        bounds = (-largest, min(largest, INT64[1]) if kind == "i64" else largest)
        result = self.builder.emit(f"{op}.{kind}", kind, args, bounds, (), zero)
        return self.fitted(result, of, overflow)

    def real(self, value: Value, of: t.SqlType) -> Value:
        """As f64."""
        return self.builder.convert(value, "f64", scale_of(of))

    def single(self, value: Value, of: t.SqlType) -> Value:
        """Rounded to what FLOAT holds, if that is the type."""
        if isinstance(of, t.FloatType) and of.bits == 32:
            return self.builder.emit("single.f64", "f64", [value])
        return value

    def cast(self, value: Value, source: t.SqlType, to: t.SqlType, message: str, span: Span | None) -> Value:
        """A number or BOOLEAN as another one; in error where it does not fit."""
        if not all(t.is_numeric(of) or isinstance(of, t.BooleanType) for of in (source, to)):
            raise NotCompilableError(f"casts from {source} to {to}")
        build = self.builder
        if isinstance(to, t.BooleanType):
            if not isinstance(source, t.IntegerType):
                raise NotCompilableError(f"casts from {source} to {to}")
            return build.emit("i64_to_bool", "bool", [build.convert(value, "i64")])
        if isinstance(source, t.BooleanType):
            value = build.emit("bool_to_i32", "i32", [value], (0, 1))
            source = t.INT
        if isinstance(to, t.FloatType):
            if to.bits == 32 and not (isinstance(source, t.FloatType) and source.bits == 32):
                return self._single(value, source, build.error(message, span))
            return self.real(value, source)
        if isinstance(source, t.FloatType):
            low, high = type_bounds(to)
            kind = "i64" if INT64[0] <= low and high <= INT64[1] else "i128"
            immediates = (10 ** scale_of(to), low, high)
            return build.emit(f"f64_to_{kind}", kind, [value], (low, high), immediates, build.error(message, span))
        if not (is_exact(source) and is_exact(to)):
            raise NotCompilableError(f"casts from {source} to {to}")
        digits = scale_of(to) - scale_of(source)
        if digits > 0 and not _inside((value.low * 10**digits, value.high * 10**digits), _LIMIT):
            # What is too large before scaling is too large after it.
            most = type_bounds(to)[1] // 10**digits
            value = self.narrowed(value, (-most, most), build.error(message, span))
        scaled = self.scaled(value, digits)
        if scaled.within(type_bounds(to)):
            return scaled
        return self.fitted(scaled, to, build.error(message, span))

    def narrowed(self, value: Value, to: Bounds, error: int) -> Value:
        """The value, in error where it is outside of a range."""
        if value.within(to):
            return value
        kind = "i64" if value.kind == "i32" else value.kind
        value = self.builder.convert(value, kind)
        ends = (max(to[0], INT64[0]), min(to[1], INT64[1])) if kind == "i64" else to
        bounds = (max(value.low, ends[0]), min(value.high, ends[1]))
        result = self.builder.emit(f"range.{kind}", kind, [value], bounds, ends, error)
        return self.builder.convert(result, "i64") if result.within(INT64) else result

    def _single(self, value: Value, source: t.SqlType, error: int) -> Value:
        """As FLOAT, rounded once."""
        if not is_exact(source):
            return self.builder.emit("single_checked.f64", "f64", [value], error=error)
        if value.constant and value.literal is None:
            return self.builder.constant("f64", None)
        wide = value if value.kind == "i128" else self.builder.convert(value, "i64")
        return self.builder.emit(f"{wide.kind}_to_single", "f64", [wide], immediates=(10 ** scale_of(source),))
