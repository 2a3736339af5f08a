"""Values of ROWs whose fields have names that mean something: each goes to the field of its name, wherever it stands."""

from __future__ import annotations

from tableflow import types as t
from tableflow.errors import BindError, Span
from tableflow.expressions.nodes import Case, Expression, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.sql.binder.scope import did_you_mean


def by_field_name(value: Expression, to: t.SqlType, name: str, span: Span | None) -> Expression:
    """The value with the fields of ROWs in the order of the column's type; :class:`BindError` if names differ.

    A row that was written as ``ROW(a, b)`` has no names: its fields stay where they are.
    """
    of = value.type
    if not _differs(of, to, name, span):
        return value
    if not isinstance(of, t.RowType) or not isinstance(to, t.RowType):
        raise BindError(
            f"column {name!r} is {to}, the value is {of}",
            detail="the fields of a ROW in an ARRAY or MAP have to be in one order",
            span=span,
        )
    where = {field.name.lower(): i for i, field in enumerate(of.fields)}
    fields = []
    for field in to.fields:
        index = Literal(t.INT, where[field.name.lower()])
        fields.append(by_field_name(resolve_call("field", [value, index]), field.type, f"{name}.{field.name}", span))
    made = resolve_call("row", fields)
    return Case(made.type, (resolve_call("is_null", [value]),), (Literal(made.type, None),), made)


def _differs(of: t.SqlType, to: t.SqlType, name: str, span: Span | None) -> bool:
    """Whether fields stand elsewhere."""
    match of, to:
        case t.ArrayType(), t.ArrayType():
            return _differs(of.element, to.element, name, span)
        case t.MapType(), t.MapType():
            return _differs(of.key, to.key, name, span) or _differs(of.value, to.value, name, span)
        case t.RowType(), t.RowType():
            given, wanted = ([field.name.lower() for field in row.fields] for row in (of, to))
            if len(set(given)) < len(given) or given == [f"f{i + 1}" for i in range(len(given))] != sorted(wanted):
                return False
            unknown = [field.name for field in of.fields if field.name.lower() not in wanted]
            missing = [field.name for field in to.fields if field.name.lower() not in given]
            if unknown or missing:
                said = f"no field {unknown[0]!r}" if unknown else f"a field {missing[0]!r}, which the value lacks"
                raise BindError(
                    f"column {name!r} has {said}",
                    detail=f"it is {to}, the value is {of}",
                    hint=did_you_mean(unknown[0], [field.name for field in to.fields]) if unknown else None,
                    span=span,
                )
            by_name = {field.name.lower(): field.type for field in of.fields}
            inner = [_differs(by_name[f.name.lower()], f.type, f"{name}.{f.name}", span) for f in to.fields]
            return given != wanted or any(inner)
    return False
