"""ALTER TABLE: the description as each alteration leaves it, and what the rows must satisfy for that.

Columns keep their ids, so nothing that is stored is touched: a new column reads as its ``initial`` value in old rows, a dropped
one is no longer read, a widened one holds every value that it held.
"""

from __future__ import annotations

from dataclasses import field
from typing import NoReturn

from tableflow import types as t
from tableflow.errors import BindError, CatalogError, Span, UnsupportedError
from tableflow.expressions.nodes import Expression, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.nodes import Filter, Limit, Node, Query
from tableflow.planner.logical.structure import output
from tableflow.records import dataclass, replace
from tableflow.sql import alter_syntax as syntax
from tableflow.sql.binder.constraints import ConstraintNames, bind_check, find_column
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.dependents import dependents, without
from tableflow.sql.binder.managed_table import check_default, check_options, place_of
from tableflow.sql.binder.renaming import with_renamed
from tableflow.sql.binder.scope import did_you_mean
from tableflow.sql.binder.stored import CHECK, bind_text
from tableflow.sql.binder.target import BoundTarget, find_managed, scan_target
from tableflow.sql.binder.widening import widens
from tableflow.sql.binder.writing import extended
from tableflow.sql.dml_syntax import Name
from tableflow.sql.statements import AlterTable, Validation
from tableflow.sql.table_syntax import ColumnSyntax
from tableflow.storage.description import ROW_ID, CheckConstraint, StoredColumn, TableDescription
from tableflow.storage.provider import ManagedTable


def bind_alter(context: StatementContext, source: Source, node: syntax.AlterSyntax) -> AlterTable:
    """An ALTER TABLE."""
    span = source.place(node.span.start, node.span.end)
    missing = context.catalog.table(node.name) is None and context.catalog.view(node.name) is None
    if node.if_exists and missing:
        return AlterTable(node.name, names_at=(span,))
    table = find_managed(context, node.name, span, "altered")
    renaming = [each for each in node.alterations if isinstance(each, syntax.RenameTable)]
    if renaming:
        if len(node.alterations) > 1:
            raise UnsupportedError("RENAME TO together with other alterations is not supported", span=span)
        to = renaming[0].to
        return AlterTable(node.name, table, rename=to.text, names_at=(span, place_of(source, to)))
    change = _Change(context, source, node.name, table, span)
    for each in node.alterations:
        change.apply(each)
    description = None if change.description == table.description else change.description
    return AlterTable(node.name, table, description, validations=tuple(change.validations), names_at=(span,))


@dataclass(slots=True)
class _Change:
    """The description so far."""

    context: StatementContext
    source: Source
    path: tuple[str, ...]
    table: ManagedTable
    span: Span
    validations: list[Validation] = field(default_factory=list)
    description: TableDescription = field(init=False)

    def __post_init__(self) -> None:
        self.description = self.table.description

    @property
    def name(self) -> str:
        """The table's name in messages."""
        return self.path[-1]

    def apply(self, node: syntax.Alteration) -> None:
        """One alteration."""
        match node:
            case syntax.AddColumn():
                self._add_column(node)
            case syntax.DropColumn():
                self._drop_column(node)
            case syntax.RenameColumn():
                self._rename_column(node)
            case syntax.SetType():
                self._set_type(node)
            case syntax.SetDefault():
                self._set_default(node)
            case syntax.SetNullable():
                self._set_nullable(node)
            case syntax.AddConstraint():
                self._add_constraint(node)
            case syntax.DropConstraint():
                self._drop_constraint(node)
            case syntax.RenameConstraint():
                self._rename_constraint(node)
            case syntax.SetOptions(options=options):
                check_options(self.name, options, node.options_at.shifted(self.source.offset))
                self._set(options=tuple({**dict(self.description.options), **dict(options)}.items()))
            case syntax.RenameTable():
                raise AssertionError("renaming a table stands alone")

    def _set(self, **changes: object) -> None:
        self.description = replace(self.description, **changes)

    def _column(self, name: Name) -> StoredColumn:
        return find_column(self.source, self.name, name, self.description.columns)

    def _put(self, column: StoredColumn) -> None:
        self._set(columns=tuple(column if each.id == column.id else each for each in self.description.columns))

    def _generated(self, column: StoredColumn, what: str, place: Span) -> None:
        if column.generated is not None:
            raise BindError(
                f"column {column.name!r} is generated", detail=f"it is always {column.generated}", hint=what, span=place
            )

    # columns ---------------------------------------------------------------------------------------------------------

    def _add_column(self, node: syntax.AddColumn) -> None:
        written = node.table.columns[0]
        place = place_of(self.source, written.name)
        if any(each.name.lower() == written.name.text.lower() for each in self.description.columns):
            if node.if_not_exists:
                return
            raise CatalogError(
                f"table {self.name!r} has a column {written.name.text!r} already",
                hint="use ADD COLUMN IF NOT EXISTS", span=place,
            )  # fmt: skip
        if written.name.text.lower() == ROW_ID:
            raise CatalogError(f"column name {written.name.text!r} is taken", detail="every table has it", span=place)
        if written.generated is not None or written.type is None:
            self._refuse("adding a generated column", "CREATE TABLE ... with it, and INSERT the rows", place)
        if node.table.keys:
            self._refuse("adding a column that is a key", "CREATE TABLE ... with it, and INSERT the rows", place)
        number = self.description.next_column
        column = self._new_column(written, written.type, number)
        self._set(columns=(*self.description.columns, column), next_column=number + 1)
        if not written.nullable and column.initial is None:
            self._validate(None, _missing_values(column))
        for check in node.table.checks:
            self._add_check(bind_check(self.context, self.source, self._names(), check, self._fields()))

    def _new_column(self, written: ColumnSyntax, of: t.SqlType, number: int) -> StoredColumn:
        initial = None
        if written.default is not None:
            place = self.source.place(written.default.span.start, written.default.span.end)
            found = check_default(self.context, self.source, written.default, of, written.name.text)
            if not isinstance(found, Literal):
                self._refuse(
                    "a DEFAULT that differs from row to row in ADD COLUMN", "add it without, then UPDATE", place
                )
            initial = found.value
        default = written.default.text if written.default is not None else None
        return StoredColumn(
            number, written.name.text, of, written.nullable, default, initial=initial, comment=written.comment
        )

    def _drop_column(self, node: syntax.DropColumn) -> None:
        known = {column.name.lower() for column in self.description.columns}
        if node.if_exists and node.column.text.lower() not in known:
            return
        column = self._column(node.column)
        dependent = dependents(self.description, column)
        if dependent and not node.cascade:
            raise BindError(
                f"column {column.name!r} cannot be dropped",
                detail=f"{dependent[0]} depends on it",
                hint="drop that first, or use CASCADE",
                span=place_of(self.source, node.column),
            )
        self.description = without(self.description, column)
        if not self.description.columns:
            raise BindError("a table has at least one column", span=place_of(self.source, node.column))

    def _rename_column(self, node: syntax.RenameColumn) -> None:
        column = self._column(node.column)
        new = node.to.text
        others = {each.name.lower() for each in self.description.columns if each.id != column.id} | {ROW_ID}
        if new.lower() in others:
            raise CatalogError(f"table {self.name!r} has a column {new!r} already", span=place_of(self.source, node.to))
        self.description = with_renamed(self.context, self.description, column, new, place_of(self.source, node.to))

    def _set_type(self, node: syntax.SetType) -> None:
        column = self._column(node.column)
        place = self.source.place(node.span.start, node.span.end)
        self._generated(column, "drop it and make the table again with another", place)
        if not widens(column.type, node.type):
            raise BindError(
                f"column {column.name!r} cannot be changed from {column.type} to {node.type}",
                detail="a column's type is only widened, so that every stored value stays as it is",
                hint=f"add a column of type {node.type}, UPDATE it from {column.name}, drop and rename",
                span=place,
            )
        self._put(replace(column, type=node.type))

    def _set_default(self, node: syntax.SetDefault) -> None:
        column = self._column(node.column)
        self._generated(column, "a generated column has no DEFAULT", place_of(self.source, node.column))
        text = None
        if node.default is not None:
            check_default(self.context, self.source, node.default, column.type, column.name)
            text = node.default.text
        self._put(replace(column, default=text))

    def _set_nullable(self, node: syntax.SetNullable) -> None:
        column = self._column(node.column)
        primary = self.description.primary_key
        if node.nullable and primary is not None and column.id in primary.columns:
            raise BindError(
                f"column {column.name!r} is part of the primary key {primary.name!r}",
                detail="its columns are never NULL",
                span=place_of(self.source, node.column),
            )
        self._put(replace(column, nullable=node.nullable))
        if not node.nullable and column.nullable:
            if column not in self.table.description.columns:
                if column.initial is None:
                    self._validate(None, _missing_values(column))
                return
            target = self._target()
            scan = scan_target(self.context, target, 0)
            index = [each.id for each in target.columns].index(column.id)
            missing = resolve_call("is_null", [scan.values()[index]])
            self._check_rows(scan.plan, [missing], f"column {column.name!r} of table {self.name!r} has NULLs")

    # constraints -----------------------------------------------------------------------------------------------------

    def _names(self) -> ConstraintNames:
        taken = constraint_names(self.description)
        return ConstraintNames(self.name, taken)

    def _fields(self) -> list[t.Field]:
        return [self.context.field(c.name, c.type, nullable=c.nullable) for c in self.description.columns]

    def _add_constraint(self, node: syntax.AddConstraint) -> None:
        if node.table.keys:
            place = self.source.place(node.span.start, node.span.end)
            self._refuse("adding a key to a table", "CREATE TABLE ... with it, and INSERT the rows", place)
        self._add_check(bind_check(self.context, self.source, self._names(), node.table.checks[0], self._fields()))

    def _add_check(self, check: CheckConstraint) -> None:
        self._set(checks=(*self.description.checks, check))
        self._validate(check, f"a row of table {self.name!r} violates check {check.name!r}")

    def _drop_constraint(self, node: syntax.DropConstraint) -> None:
        name = node.constraint.text.lower()
        known = constraint_names(self.description)
        if name not in {each.lower() for each in known}:
            if node.if_exists:
                return
            raise self._unknown_constraint(node.constraint, known)
        self._set(
            keys=tuple(key for key in self.description.keys if key.name.lower() != name),
            checks=tuple(check for check in self.description.checks if check.name.lower() != name),
        )

    def _rename_constraint(self, node: syntax.RenameConstraint) -> None:
        old, new = node.constraint.text.lower(), node.to.text
        known = constraint_names(self.description)
        if old not in {each.lower() for each in known}:
            raise self._unknown_constraint(node.constraint, known)
        if new.lower() in {each.lower() for each in known if each.lower() != old}:
            raise CatalogError(
                f"table {self.name!r} has a constraint {new!r} already", span=place_of(self.source, node.to)
            )
        self._set(
            keys=tuple(replace(k, name=new) if k.name.lower() == old else k for k in self.description.keys),
            checks=tuple(replace(c, name=new) if c.name.lower() == old else c for c in self.description.checks),
        )

    def _unknown_constraint(self, name: Name, known: list[str]) -> BindError:
        return BindError(
            f"table {self.name!r} has no constraint {name.text!r}",
            hint=did_you_mean(name.text, known),
            span=place_of(self.source, name),
        )

    # rows ------------------------------------------------------------------------------------------------------------

    def _target(self) -> BoundTarget:
        return BoundTarget(self.path, None, self.table, self.span)

    def _validate(self, check: CheckConstraint | None, message: str) -> None:
        """No row may make the check FALSE; without a check there may be no row at all."""
        scan = scan_target(self.context, self._target(), 0)
        if check is None:
            self._check_rows(scan.plan, [], message)
            return
        old = {column.id: place for column, place in zip(self.table.description.columns, scan.columns, strict=True)}
        fields: list[t.Field] = []
        added: list[tuple[t.Field, Expression]] = []
        for column in self.description.columns:
            place = old.get(column.id)
            if place is None:
                place = self.context.field(column.name, column.type)
                added.append((place, Literal(column.type, column.initial)))
            fields.append(t.Field(place.id, column.name, place.type, place.nullable))
        condition = bind_text(self.context, check.text, self.span, CHECK, fields)
        self._check_rows(extended(scan.plan, added), [resolve_call("is_false", [condition])], message)

    def _check_rows(self, plan: Node, conditions: list[Expression], message: str) -> None:
        if conditions:
            plan = Filter(plan, tuple(conditions))
        columns = tuple(column for column in output(plan) if column.name != ROW_ID)
        self.validations.append(Validation(message, Query(Limit(plan, 1), columns)))

    def _refuse(self, what: str, hint: str, span: Span) -> NoReturn:
        raise UnsupportedError(f"{what} is not supported yet", hint=hint, span=span)


def _missing_values(column: StoredColumn) -> str:
    return f"column {column.name!r} is NOT NULL, and rows without a value for it exist"


def constraint_names(description: TableDescription) -> list[str]:
    """Names of a table's keys and checks."""
    return [key.name for key in description.keys] + [check.name for check in description.checks]
