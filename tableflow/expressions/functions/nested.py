"""Arrays, maps and rows: making them, and looking into them.  Positions count from 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.representation import canonical
from tableflow.errors import BindError, Span
from tableflow.expressions.coercion import cast, implicit_cast, unify, unify_comparison
from tableflow.expressions.function import Binding, Function, always
from tableflow.expressions.functions.comparison import compare
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Array, Operand, both, build, numbers, repeated, rows_of


def expanded(of: Operand, rows: int) -> pa.Array:
    """The canonical values, a constant's once for each row."""
    return repeated(of.plain, rows) if of.constant and rows != 1 else of.plain


def _interleaved(args: Sequence[Operand], rows: int) -> pa.Array:
    """The first row's values of all arguments, then the second row's, and so on."""
    values = pa.concat_arrays([expanded(arg, rows) for arg in args])
    order = (np.arange(rows)[:, None] + np.arange(len(args)) * rows).ravel()
    return values.take(pa.array(order))


def _offsets(rows: int, size: int) -> pa.Array:
    return pa.array(np.arange(rows + 1, dtype=np.int32) * size, pa.int32())


def _array_rule(args: Sequence[Expression]) -> Binding | None:
    if not args:
        return Binding((), t.ArrayType(t.NULL))
    elements = unify(args, "elements of an ARRAY")
    return Binding(tuple(elements), t.ArrayType(elements[0].type))


def _array(args: Sequence[Operand], to: t.SqlType) -> Operand:
    rows = rows_of(*args)
    if isinstance(to, t.ArrayType) and isinstance(to.element, t.NullType) and isinstance(args[0].type, t.NullType):
        size = 0 if not args[0].constant else len(args)
        return Operand(to, pa.ListArray.from_arrays(_offsets(rows, size), pa.nulls(rows * size)))
    return Operand(to, pa.ListArray.from_arrays(_offsets(rows, len(args)), _interleaved(args, rows)))


def _row_rule(args: Sequence[Expression]) -> Binding | None:
    if not args:
        return None
    return Binding(tuple(args), t.RowType(tuple(t.RowField(f"f{i}", a.type) for i, a in enumerate(args, 1))))


def _row(args: Sequence[Operand], to: t.SqlType) -> Operand:
    rows = rows_of(*args)
    names = [member.name for member in to.fields] if isinstance(to, t.RowType) else []
    return Operand(to, pa.StructArray.from_arrays([expanded(arg, rows) for arg in args], names=names))


def _map_rule(args: Sequence[Expression]) -> Binding | None:
    if not args or len(args) % 2:
        return None
    keys, values = unify(args[::2], "keys of a MAP"), unify(args[1::2], "values of a MAP")
    if isinstance(keys[0].type, t.NullType):
        return None
    pairs = [side for pair in zip(keys, values, strict=True) for side in pair]
    return Binding(tuple(pairs), t.MapType(keys[0].type, values[0].type))


def _map(args: Sequence[Operand], to: t.SqlType) -> Operand:
    rows = rows_of(*args)
    keys, values = args[::2], args[1::2]
    errors = np.zeros(rows, np.bool_)
    for i, key in enumerate(keys):
        errors |= False if key.valid is None else ~key.valid
        for other in keys[:i]:
            equal = both(compare("eq", key, other), key.valid, other.valid)
            errors |= False if equal is None else equal
    # Rows in error are NULL and have no entries: a NULL key would not be a map's.
    kept = np.repeat(~errors, len(keys))
    offsets = np.concatenate([[0], np.cumsum(~errors) * len(keys)]).astype(np.int32)
    made = pa.MapArray.from_arrays(
        pa.array(offsets, mask=np.append(errors, [False])),
        _interleaved(keys, rows).filter(pa.array(kept)),
        _interleaved(values, rows).filter(pa.array(kept)),
    )
    return Operand(to, made.cast(canonical(to)), errors=errors if errors.any() else None)


def _element_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2:
        return None
    container = args[0].type
    if isinstance(container, t.MapType):
        probe = Call(container.key, "element_at", (args[0],))
        key = unify_comparison([probe, args[1]], "a MAP's key")[1]
        return Binding((args[0], cast(key, container.key)), container.value)
    index = implicit_cast(args[1], t.BIGINT)
    if not isinstance(container, t.ArrayType) or index is None:
        return None
    return Binding((args[0], index), container.element)


def _bounds(array: pa.Array) -> tuple[Array, Array]:
    offsets = array.offsets.to_numpy().astype(np.int64)
    return offsets[:-1], offsets[1:]


def _element(args: Sequence[Operand], to: t.SqlType) -> Operand:
    container, index = args
    rows = rows_of(container, index)
    array = expanded(container, rows)
    if isinstance(container.type, t.MapType):
        return _entry(array, container.type, expanded(index, rows), to)
    starts, ends = _bounds(array)
    wanted = numbers(index)
    position = np.where(wanted > 0, starts + wanted - 1, ends + wanted)
    missing = (wanted == 0) | (position < starts) | (position >= ends)
    for valid in (array.is_valid().to_numpy(zero_copy_only=False), index.valid):
        missing = missing if valid is None else missing | ~valid
    return Operand(to, array.values.take(pa.array(position, mask=missing)))


def _entry(array: pa.Array, of: t.MapType, keys: pa.Array, to: t.SqlType) -> Operand:
    starts, ends = _bounds(array)
    sizes = np.where(array.is_valid().to_numpy(zero_copy_only=False), ends - starts, 0)
    owners = np.repeat(np.arange(len(array)), sizes)
    entries = np.concatenate(
        [np.arange(s, s + n) for s, n in zip(starts, sizes, strict=True)] or [np.zeros(0, np.int64)]
    )
    found = np.full(len(array), -1, np.int64)
    if len(entries):
        sought = Operand(of.key, keys.take(pa.array(owners)))
        held = Operand(of.key, array.keys.take(pa.array(entries.astype(np.int64))))
        equal = both(compare("eq", held, sought), held.valid, sought.valid)
        matches = np.flatnonzero(np.ones(len(entries), np.bool_) if equal is None else equal)
        found[owners[matches]] = entries[matches]
    return Operand(to, array.items.take(pa.array(found, mask=found < 0)))


def _cardinality_rule(args: Sequence[Expression]) -> Binding | None:
    nested = len(args) == 1 and isinstance(args[0].type, (t.ArrayType, t.MapType))
    return Binding(tuple(args), t.BIGINT) if nested else None


def _cardinality(args: Sequence[Operand], to: t.SqlType) -> Operand:
    starts, ends = _bounds(args[0].plain)
    return build(to, ends - starts, args[0].valid)


def _bind_field(args: Sequence[Expression], span: Span | None) -> Expression:

    row = args[0].type if len(args) == 2 else None
    if not isinstance(row, t.RowType) or not isinstance(args[1], Literal):
        raise BindError("FIELD takes a ROW and a literal name or position", hint="row.name", span=span)
    wanted = args[1].value
    names = [member.name.lower() for member in row.fields]
    if isinstance(wanted, str) and wanted.lower() in names:
        index = names.index(wanted.lower())
    elif isinstance(wanted, int) and 0 <= wanted < len(names):
        index = wanted
    else:
        raise BindError(f"the ROW has no field {wanted!r}", detail=f"it has {', '.join(names)}", span=span)
    return Call(row.fields[index].type, "field", (args[0], Literal(t.INT, index)), span)


def _field(args: Sequence[Operand], to: t.SqlType) -> Operand:
    # Flattening makes a field NULL where its row is.
    return Operand(to, args[0].plain.flatten()[args[1].value])


def _contains_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or not isinstance(args[0].type, t.ArrayType):
        return None
    probe = Call(args[0].type.element, "element_at", (args[0],))
    value = unify_comparison([probe, args[1]], "an ARRAY's element")[1]
    return Binding((args[0], cast(value, args[0].type.element)), t.BOOLEAN)


def _contains(args: Sequence[Operand], to: t.SqlType) -> Operand:
    container, value = args
    rows = rows_of(container, value)
    array, sought = expanded(container, rows), expanded(value, rows)
    lengths = numbers(_cardinality([Operand(container.type, array)], t.BIGINT))
    lengths = np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, 0)
    owners = np.repeat(np.arange(rows), lengths)
    elements = Operand(value.type, array.flatten())
    wanted = Operand(value.type, sought.take(pa.array(owners)))
    equal: Any = both(compare("eq", elements, wanted), elements.valid, wanted.valid) if len(owners) else owners > 0
    found = np.zeros(rows, np.bool_)
    found[owners[equal]] = True
    return build(to, found, both(container.valid, value.valid))


FUNCTIONS = (
    Function(
        "array", "ARRAY[value, ...]", "An array of values brought to one type.", ("cardinality(array(1, 2.5))", "2"), "nested",
        rule=_array_rule, kernel=_array, strict=False,
    ),
    Function(
        "row", "ROW(value, ...)", "A row of values; its fields are f1, f2, and so on.", ("field(row(1, 'a'), 'f2')", "a"),
        "nested", rule=_row_rule, kernel=_row, strict=False,
    ),
    Function(
        "map", "MAP[key, value, ...]", "A map; a key that is NULL or comes twice is an error.",
        ("element_at(map('a', 1, 'b', 2), 'b')", "2"), "nested", rule=_map_rule, kernel=_map, strict=False, can_raise=always,
        failure="a key is NULL or comes twice",
    ),
    Function(
        "element_at", "container[key]",
        "An array's element by position, from the end if it is negative; a map's value by key; NULL if there is none.",
        ("element_at(array('a', 'b'), 2)", "b"), "nested", rule=_element_rule, kernel=_element,
    ),
    Function(
        "field", "row.name", "A field of a row.", ("field(row(1, 'a'), 'f1')", "1"), "nested", bind=_bind_field, kernel=_field,
    ),
    Function(
        "cardinality", "cardinality(container)", "How many elements an array or map has.", ("cardinality(array(1, NULL))", "2"),
        "nested", rule=_cardinality_rule, kernel=_cardinality, aliases=("array_length",),
    ),
    Function(
        "array_contains", "array_contains(array, value)", "Whether a value is an element.",
        ("array_contains(array(1, 2), 2)", "true"), "nested", rule=_contains_rule, kernel=_contains,
    ),
)  # fmt: skip
