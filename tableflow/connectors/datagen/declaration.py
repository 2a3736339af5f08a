"""What the options of a declared table say of its columns; those that say nothing, or what cannot be, are errors that point at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from tableflow import types as t
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import ColumnDefinition
from tableflow.connectors.datagen import values
from tableflow.connectors.datagen.values import Making, Random
from tableflow.connectors.option import ColumnError, OptionError
from tableflow.errors import CatalogError
from tableflow.nearest import nearest

TEXT_LENGTH, COLLECTION_LENGTH = 100, 3
_LONGEST = 65_536
_SEQUENCES, _RANDOM = ("start", "end"), ("min", "max", "max-past", "length", "var-len", "null-rate")


def makings(definition: TableDefinition, options: dict[str, Any]) -> dict[str, tuple[int, Making]]:
    """How each column is made, by its name, and its place among those that are."""
    stored = [column for column in definition.columns if not column.computed]
    if not stored:
        raise CatalogError(
            f"table {definition.name!r} declares no columns", hint="datagen makes the columns that are declared"
        )
    given = {name: value for name, value in options.items() if name.startswith("fields.")}
    found = {column.name: (place, _column(column, given)) for place, column in enumerate(stored)}
    if given:
        raise _unused(next(iter(given)), stored)
    return found


def _column(column: ColumnDefinition, given: dict[str, Any]) -> Making:
    name = f"fields.{column.name.lower()}"
    rate = f"{name}.null-rate"
    if not column.nullable and given.get(rate):
        raise OptionError(
            f"column {column.name!r} is NOT NULL and has no NULLs", option=rate, hint=f"leave {rate!r} out"
        )
    return _Part(column.name, column.name.lower(), column.type, given).making()


def _unused(option: str, columns: Sequence[ColumnDefinition]) -> OptionError:
    """An option that no column has taken: there is no such column, or no such part of it."""
    path = option.removeprefix("fields.").rpartition(".")[0]
    first, _, rest = path.partition(".")
    column = next((one for one in columns if one.name.lower() == first.lower()), None)
    if column is None:
        names = [one.name for one in columns]
        near = nearest(first, names)
        there = f"did you mean {near!r}?" if near else f"columns that are made: {', '.join(names)}"
        return OptionError(f"option {option!r} is of no column of the table", option=option, hint=there)
    return OptionError(
        f"column {column.name!r}, which is {column.type}, has no part {rest!r}",
        option=option,
        hint="fields of rows are named <column>.<field>, parts of others <column>.element, .key and .value",
    )


class _Part:
    """A column, or a part of one: takes its options out of ``given``."""

    def __init__(self, column: str, path: str, of: t.SqlType, given: dict[str, Any]) -> None:
        self._column = column
        self._name = f"fields.{path}"
        self._path = path
        self._type = of
        self._given = given

    def making(self) -> Making:
        """How its values are made."""
        if self._take("kind", "random") == "sequence":
            return self._sequence()
        self._refuse(_SEQUENCES, f"is for sequences: '{self._name}.kind' = 'sequence'")
        least, most = self._bounds()
        past = self._take("max-past", 0, t.TimestampType)
        if past < 0:
            self._wrong("max-past", "cannot be negative", "how long before now a timestamp is at most, such as '1 h'")
        length = self._length()
        rate = self._take("null-rate", 0.0)
        children = tuple(
            _Part(self._column, f"{self._path}.{called}", part, self._given).making() for called, part in self._parts()
        )
        return Random(self._type, least, past or most, *length, rate, children)

    def _sequence(self) -> values.Sequence:
        of = self._type
        least, most = _range(of) if isinstance(of, t.IntegerType | t.DecimalType) else (-(2**63), 2**63 - 1)
        if not isinstance(of, t.IntegerType | t.StringType | t.DecimalType) or (
            isinstance(of, t.DecimalType) and of.scale
        ):
            self._wrong(
                "kind", f"cannot be a sequence: {self._told()}", "sequences are of whole numbers, also as STRING"
            )
        self._refuse(_RANDOM, f"is for random values: leave it, or '{self._name}.kind', out")
        start, end = self._take("start"), self._take("end")
        if start is None or end is None:
            lacking = "start" if start is None else "end"
            self._wrong("kind", f"is a sequence without {lacking}", f"say '{self._name}.{lacking}' = '1'")
        for option, value in (("start", start), ("end", end)):
            if not least <= value <= most:
                self._wrong(option, f"is {value}: {self._told()}", f"values are from {int(least)} to {int(most)}")
        if end < start:
            self._wrong("end", f"is {end}, before the start {start}", "sequences ascend")
        return values.Sequence(of, start, end)

    def _bounds(self) -> tuple[int | float, int | float]:
        """Least and greatest value in storage."""
        numeric = (t.IntegerType, t.DecimalType, t.FloatType)
        low, high = self._take("min", None, *numeric), self._take("max", None, *numeric)
        of = self._type
        if not isinstance(of, numeric):
            return 0, 0
        exact, scale = not isinstance(of, t.FloatType), of.scale if isinstance(of, t.DecimalType) else 0
        least, most = _range(of)
        lower = least if low is None else self._number("min", low, scale, exact=exact)
        upper = most if high is None else self._number("max", high, scale, exact=exact)
        for option, bound in (("min", lower), ("max", upper)):
            if exact and not least <= bound <= most:
                shown = f"values are from {_shown(least, scale)} to {_shown(most, scale)}"
                self._wrong(option, f"is {_shown(bound, scale)}: {self._told()}", shown)
        if lower > upper:
            option = "min" if high is None else "max"
            self._wrong(
                option,
                f"is wrong: no value is at least {_shown(lower, scale)} and at most {_shown(upper, scale)}",
                f"'{self._name}.min' is the least value, '{self._name}.max' the greatest",
            )
        return (int(lower), int(upper)) if exact else (float(lower), float(upper))

    def _number(self, option: str, text: str, scale: int, *, exact: bool) -> Decimal:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite():
            self._wrong(option, f"cannot be {text!r}", f"a number is expected: {self._told()}")
        scaled = number.scaleb(scale)
        if exact and scaled != scaled.to_integral_value():
            digits = f"a number with at most {scale} digits after the point" if scale else "a whole number"
            self._wrong(option, f"cannot be {text!r}", f"{digits} is expected: {self._told()}")
        return scaled

    def _length(self) -> tuple[int, bool]:
        """How long values are, and whether that is the longest they are."""
        of, lengthy = self._type, (t.StringType, t.BytesType, t.ArrayType, t.MapType)
        most = of.length if isinstance(of, t.StringType | t.BytesType) else None
        default = COLLECTION_LENGTH if isinstance(of, t.ArrayType | t.MapType) else TEXT_LENGTH
        length = self._take("length", most if most is not None else default, *lengthy)
        varied = self._take("var-len", False, *lengthy)  # noqa: FBT003 - the default
        if not isinstance(of, lengthy):
            return 0, False
        longest = _LONGEST if most is None else most
        least = 1 if varied else 0
        if not least <= length <= longest:
            self._wrong("length", f"cannot be {length}: {self._told()}", f"lengths are from {least} to {longest}")
        return length, varied

    def _parts(self) -> Iterable[tuple[str, t.SqlType]]:
        match self._type:
            case t.ArrayType(element=element):
                return (("element", element),)
            case t.MapType(key=key, value=value):
                return (("key", key), ("value", value))
            case t.RowType(fields=fields):
                return tuple((field.name.lower(), field.type) for field in fields)
            case t.NullType() | t.IntervalType() | t.JsonType():
                raise ColumnError(f"datagen makes no values of {self._type}", column=self._column)
        return ()

    def _take(self, option: str, default: Any = None, *of: type[t.SqlType]) -> Any:
        """The value of an option, which only some types have if they are named."""
        name = f"{self._name}.{option}"
        if of and name in self._given and not isinstance(self._type, of):
            self._wrong(option, f"means nothing: {self._told()}", f"leave {name!r} out", value=False)
        return self._given.pop(name, default)

    def _refuse(self, options: Sequence[str], why: str) -> None:
        for option in options:
            if f"{self._name}.{option}" in self._given:
                self._wrong(option, why, None, value=False)

    def _told(self) -> str:
        return f"{self._path!r} is {self._type}"

    def _wrong(self, option: str, message: str, hint: str | None, *, value: bool = True) -> NoReturn:
        name = f"{self._name}.{option}"
        raise OptionError(f"option {name!r} {message}", option=name, value=value, hint=hint)


def _range(of: t.SqlType) -> tuple[Decimal, Decimal]:
    """Least and greatest value of a type of numbers, in storage; those of fractions without end are 0 and 1."""
    match of:
        case t.IntegerType(bits=bits):
            return Decimal(-(2 ** (bits - 1))), Decimal(2 ** (bits - 1) - 1)
        case t.DecimalType(precision=precision):
            most = Decimal(10 ** min(precision, 18) - 1)
            return -most, most
    return Decimal(0), Decimal(1)


def _shown(value: Decimal, scale: int) -> str:
    return format(value.scaleb(-scale), "f")
