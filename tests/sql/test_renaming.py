"""A renamed column is renamed wherever a kept expression reads it, whatever stands around it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tableflow.errors import BindError, InternalError, Span, TableFlowError
from tableflow.expressions.nodes import column_ids
from tableflow.expressions.registry import FUNCTIONS, StatementClock
from tableflow.sql.binder import renaming, stored
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.stored import DEFAULT, GENERATED, bind_text, columns_read
from tableflow.sql.statements import AlterTable
from tableflow.sql.tokens import tokenize
from tableflow.storage.description import TableDescription
from tableflow.types import Field
from tests.sql.binding import bound, fails
from tests.sql.managed import managed_catalog

NOWHERE = Span(0, 1)


def context() -> StatementContext:
    return StatementContext(managed_catalog(), (), StatementClock.now())


def literals(text: str) -> list[tuple[int, int]]:
    """Where constants stand in an expression, those with a type's name before them included."""
    places = []
    tokens = tokenize(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.token_type.name in {"STRING", "NUMBER"}:
            typed = before is not None and before.text.upper() in {"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "JSON"}
            places.append((before.start if typed and before is not None else token.start, token.end + 1))
    return places


def with_columns(text: str) -> list[tuple[str, list[Field]]]:
    """The expression with one constant as a column, for each that may be one."""
    found = []
    for start, end in literals(text):
        begun = context()
        try:
            kind = bind_text(begun, text[start:end], NOWHERE, DEFAULT, ()).type
            fields = [begun.field("it", kind), begun.field("other", kind)]
            changed = text[:start] + "it" + text[end:]
            bind_text(begun, changed, NOWHERE, GENERATED, fields)
        except TableFlowError:
            continue
        found.append((changed, fields))
    return found


def test_every_function_of_a_column():
    functions = 0
    for entry in FUNCTIONS:
        changed = with_columns(entry.example[0])
        functions += bool(changed)
        for text, fields in changed:
            assert_renamed(text, fields)
    assert functions > 0.8 * len(FUNCTIONS)


SPELLINGS = (
    "it::STRING", "it[1]", "CAST(it AS STRING)", "EXTRACT(year FROM it)", "TRIM(it)", "TRIM(it FROM it)", "(it)", "-it", "NOT it",
    "it BETWEEN it AND it", "it IN (it, 1)", "CASE it WHEN it THEN it ELSE it END", "it IS NULL", "it IS NOT DISTINCT FROM it",
    "it LIKE 'x' ESCAPE '!'", "COALESCE(it, other)", "it || it || other", "length(it) < 3", "ROW(it, other)", "ARRAY[it, other]",
    "MAP['it', it]", '"it" + `it` + IT', "it.a + 1", "(it).a", "it IS UNKNOWN", "POSITION('it' IN it)", "'it' || upper(it)",
    "upper(it) /* it */ || it -- it", "it + DATE '2024-01-01'", "INTERVAL it DAY", "it AT TIME ZONE 'UTC'",
)  # fmt: skip


def assert_renamed(text: str, fields: list[Field]) -> None:
    begun = context()
    before = bind_text(begun, text, NOWHERE, GENERATED, fields)
    # typeof(it) is a constant, and cannot be without its column all the same
    assert {f.name for f in fields if f.id in column_ids(before)} | {"it"} == columns_read(text)
    changed = stored.renamed_in(text, "IT", 'a "b"')
    fields = [Field(fields[0].id, 'a "b"', fields[0].type), fields[1]]
    assert bind_text(begun, changed, NOWHERE, GENERATED, fields) == before, (text, changed)


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling(text):
    done = 0
    for kind in ("INT", "STRING", "BOOLEAN", "DATE", "TIMESTAMP", "ARRAY<INT>", "ROW<a INT>"):
        begun = context()
        of = bind_text(begun, f"CAST(NULL AS {kind})", NOWHERE, DEFAULT, ()).type
        fields = [begun.field("it", of), begun.field("other", of)]
        try:
            bind_text(begun, text, NOWHERE, GENERATED, fields)
        except TableFlowError:
            continue
        assert_renamed(text, fields)
        done += 1
    assert done


def test_a_word_that_is_no_column():
    assert columns_read("a IS UNKNOWN OR unknown") == {"a", "unknown"}
    assert stored.renamed_in("a IS UNKNOWN OR unknown", "unknown", "b") == 'a IS UNKNOWN OR "b"'


def described(alteration: str, given) -> TableDescription:
    statement = bound(f"ALTER TABLE {alteration}", (), given)
    assert isinstance(statement, AlterTable)
    assert statement.description is not None
    return statement.description


def test_functions_in_checks_and_generated_columns():
    given = managed_catalog(
        "CREATE TABLE u (a STRING, b INT, g AS upper(a))",
        "CREATE TABLE w (a STRING, b STRING, CHECK (length(a) < 3))",
    )
    assert described("u RENAME a TO aa", given).columns[2].generated == 'upper("aa")'
    assert described("w RENAME a TO c, RENAME b TO a", given).checks[0].text == 'length("c") < 3'
    error = fails("ALTER TABLE u DROP COLUMN a", BindError, "column 'a' cannot be dropped", given=given)
    assert error.detail == "generated column 'g' depends on it"
    error = fails("ALTER TABLE w DROP COLUMN a", BindError, "column 'a' cannot be dropped", given=given)
    assert error.detail == "check 'w_a_check' depends on it"
    assert described("w DROP COLUMN a CASCADE", given).checks == ()


def test_a_rename_that_would_change_a_meaning_is_not_done(monkeypatch):
    given = managed_catalog("CREATE TABLE w (a STRING, b STRING, CHECK (length(a) < 3))")
    monkeypatch.setattr(renaming, "renamed_in", lambda text, old, new: text)
    fails("ALTER TABLE w RENAME a TO c", InternalError, "is not the same with column 'a' as 'c'", given=given)
    monkeypatch.setattr(renaming, "renamed_in", lambda text, old, new: text.replace("a", "b"))
    fails("ALTER TABLE w RENAME a TO c", InternalError, "is not the same with column 'a' as 'c'", given=given)


def test_a_table_whose_expression_names_what_is_not_there_can_be_mended():
    given = managed_catalog("CREATE TABLE w (a STRING, b STRING, g AS upper(a))")
    sound = given.tables["w"].description
    given.tables["w"].description = replace(sound, columns=(replace(sound.columns[0], name="lost"), *sound.columns[1:]))
    assert described("w RENAME lost TO a", given).columns[2].generated == "upper(a)"
