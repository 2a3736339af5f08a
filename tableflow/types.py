"""The SQL types: what a value means, never how a batch happens to store it.

A type is a frozen value; two types are the same when they compare equal.  NULL-ability is not part of a
type (it belongs to a field).  How values are stored is a *representation*, see
:mod:`tableflow.columnar.representation`.
"""

from __future__ import annotations

import enum

from tableflow.records import dataclass

MAX_DECIMAL_PRECISION = 38


@dataclass(frozen=True, slots=True)
class SqlType:
    """Base of all SQL types; ``str()`` gives the type as SQL spells it."""

    def __str__(self) -> str:
        return type(self).__name__.removesuffix("Type").upper()


@dataclass(frozen=True, slots=True)
class NullType(SqlType):
    """The type of a bare NULL before its context gives it one."""


@dataclass(frozen=True, slots=True)
class BooleanType(SqlType):
    """TRUE, FALSE."""


@dataclass(frozen=True, slots=True)
class IntegerType(SqlType):
    """Signed integers of 8, 16, 32 or 64 bits."""

    bits: int

    def __str__(self) -> str:
        return {8: "TINYINT", 16: "SMALLINT", 32: "INT", 64: "BIGINT"}[self.bits]

    @property
    def digits(self) -> int:
        """Decimal digits that hold every value."""
        return {8: 3, 16: 5, 32: 10, 64: 19}[self.bits]


@dataclass(frozen=True, slots=True)
class FloatType(SqlType):
    """IEEE 754 binary floating point of 32 or 64 bits."""

    bits: int

    def __str__(self) -> str:
        return "FLOAT" if self.bits == 32 else "DOUBLE"


@dataclass(frozen=True, slots=True)
class DecimalType(SqlType):
    """Exact decimals with ``precision`` digits, ``scale`` of them behind the point."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"DECIMAL({self.precision},{self.scale})"


@dataclass(frozen=True, slots=True)
class StringType(SqlType):
    """Text in UTF-8; ``length`` in characters, None for STRING; ``fixed`` for CHAR(n)."""

    length: int | None = None
    fixed: bool = False

    def __str__(self) -> str:
        if self.length is None:
            return "STRING"
        return f"{'CHAR' if self.fixed else 'VARCHAR'}({self.length})"


@dataclass(frozen=True, slots=True)
class BytesType(SqlType):
    """Byte strings; ``length`` for BINARY(n)."""

    length: int | None = None

    def __str__(self) -> str:
        return "BYTES" if self.length is None else f"BINARY({self.length})"


@dataclass(frozen=True, slots=True)
class DateType(SqlType):
    """Days since 1970-01-01 in the proleptic Gregorian calendar."""


@dataclass(frozen=True, slots=True)
class TimeType(SqlType):
    """Time of day; stored as microseconds up to precision 6, else nanoseconds."""

    precision: int = 6

    def __str__(self) -> str:
        return f"TIME({self.precision})"


@dataclass(frozen=True, slots=True)
class TimestampType(SqlType):
    """A date and time without zone, or (``zoned``) an instant shown in the session's zone.

    Stored as int64 microseconds up to precision 6, else nanoseconds, since 1970-01-01T00:00:00.
    """

    precision: int = 6
    zoned: bool = False

    @property
    def tick(self) -> int:
        """Microseconds from a value to the next; 1 also where values are finer."""
        return int(10 ** max(6 - self.precision, 0))

    def __str__(self) -> str:
        return f"TIMESTAMP{'_LTZ' if self.zoned else ''}({self.precision})"


def tick_of(of: SqlType) -> int:
    """Microseconds from a time of this type to the next; 1 for what is no time."""
    return of.tick if isinstance(of, TimestampType) else 1


@dataclass(frozen=True, slots=True)
class IntervalType(SqlType):
    """(months, days, microseconds), each signed; not normalised into each other."""


@dataclass(frozen=True, slots=True)
class JsonType(SqlType):
    """JSON text, valid by construction."""


@dataclass(frozen=True, slots=True)
class ArrayType(SqlType):
    """An ordered list of elements of one type."""

    element: SqlType

    def __str__(self) -> str:
        return f"ARRAY<{self.element}>"


@dataclass(frozen=True, slots=True)
class MapType(SqlType):
    """Keys, each at most once and never NULL, to values."""

    key: SqlType
    value: SqlType

    def __str__(self) -> str:
        return f"MAP<{self.key}, {self.value}>"


@dataclass(frozen=True, slots=True)
class RowField:
    """A named member of a ROW."""

    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class RowType(SqlType):
    """Named fields; STRUCT means the same."""

    fields: tuple[RowField, ...]

    def __str__(self) -> str:
        return f"ROW<{', '.join(f'{f.name} {f.type}' for f in self.fields)}>"


NULL = NullType()
BOOLEAN = BooleanType()
TINYINT, SMALLINT, INT, BIGINT = (IntegerType(bits) for bits in (8, 16, 32, 64))
FLOAT, DOUBLE = FloatType(32), FloatType(64)
STRING = StringType()
BYTES = BytesType()
DATE = DateType()
TIME = TimeType()
TIMESTAMP = TimestampType()
TIMESTAMP_LTZ = TimestampType(zoned=True)
INTERVAL = IntervalType()
JSON = JsonType()


class TypeFamily(enum.Enum):
    """Coarse families that type rules speak of."""

    __hash__ = object.__hash__  # members are single objects, and rules look for them in sets all the time

    NULL = "null"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    STRING = "string"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    JSON = "json"
    NESTED = "nested"


_FAMILIES: dict[type[SqlType], TypeFamily] = {
    NullType: TypeFamily.NULL,
    BooleanType: TypeFamily.BOOLEAN,
    IntegerType: TypeFamily.INTEGER,
    DecimalType: TypeFamily.DECIMAL,
    FloatType: TypeFamily.FLOAT,
    StringType: TypeFamily.STRING,
    BytesType: TypeFamily.BYTES,
    DateType: TypeFamily.DATE,
    TimeType: TypeFamily.TIME,
    TimestampType: TypeFamily.TIMESTAMP,
    IntervalType: TypeFamily.INTERVAL,
    JsonType: TypeFamily.JSON,
    ArrayType: TypeFamily.NESTED,
    MapType: TypeFamily.NESTED,
    RowType: TypeFamily.NESTED,
}
_NUMERIC = frozenset({TypeFamily.INTEGER, TypeFamily.DECIMAL, TypeFamily.FLOAT})


def family(of: SqlType) -> TypeFamily:
    """The family a type belongs to."""
    return _FAMILIES[type(of)]


def is_numeric(of: SqlType) -> bool:
    """Whether arithmetic is defined on the type."""
    return _FAMILIES[type(of)] in _NUMERIC


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a relation: its identity in a plan, name, type and whether it may hold NULL.

    ``id`` is unique within one plan: the same column keeps its id through every operator, so that
    expressions survive reordering; names are for people and results only.
    """

    id: int
    name: str
    type: SqlType
    nullable: bool = True
