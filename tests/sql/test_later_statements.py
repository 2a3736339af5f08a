"""Statements that are not there yet are refused by name, where they stand, with what to do instead."""

import pytest

from tableflow.config import Settings
from tableflow.errors import CatalogError, ConfigError, SqlSyntaxError, UnsupportedError
from tableflow.sql.binder import bind
from tests.sql.binding import CATALOG, fails

REFUSED = [
    ("CREATE SAVEPOINT s", "CREATE SAVEPOINT", "CREATE SAVEPOINT", "STOP JOB id"),
    ("CREATE SAVEPOINT FOR JOB 3 TO 'there'", "CREATE SAVEPOINT", "CREATE SAVEPOINT", "STOP JOB id"),
    ("DROP SAVEPOINT 'there'", "DROP SAVEPOINT", "DROP SAVEPOINT", "STOP JOB id"),
    ("SHOW SAVEPOINTS", "SHOW SAVEPOINTS", "SHOW SAVEPOINTS", "SHOW VERSIONS"),
    ("show /* all */ savepoints FOR JOB 3", "SHOW SAVEPOINTS", "show /* all */ savepoints", "SHOW VERSIONS"),
    ("SHOW CHECKPOINTS", "SHOW CHECKPOINTS", "SHOW CHECKPOINTS", "SHOW VERSIONS"),
    ("CHECKPOINT JOB 5", "CHECKPOINT JOB", "CHECKPOINT", "FLUSH"),
    ("CHECKPOINT", "CHECKPOINT JOB", "CHECKPOINT", "FLUSH"),
    ("STOP JOB 5 WITH SAVEPOINT", "STOP JOB WITH SAVEPOINT", "STOP JOB 5 WITH SAVEPOINT", "STOP JOB id"),
    ("STOP JOB 5 WITH SAVEPOINT 'x' WITH DRAIN", "STOP JOB WITH SAVEPOINT", "STOP JOB 5 WITH SAVEPOINT", "STOP JOB id"),
    ("STOP JOB 5 WITH DRAIN", "STOP JOB WITH DRAIN", "STOP JOB 5 WITH DRAIN", "EMIT EVERY"),
    ("CANCEL JOB 5 WITH SAVEPOINT", "CANCEL JOB WITH SAVEPOINT or DRAIN", "CANCEL JOB 5 WITH", "STOP JOB id"),
    ("RESTORE JOB 5 FROM SAVEPOINT 'x'", "RESTORE JOB", "RESTORE", "CREATE OR REPLACE STREAMING TABLE"),
    ("START JOB 5 FROM SAVEPOINT 'x'", "START JOB", "START JOB", "CREATE OR REPLACE STREAMING TABLE"),
    ("RESUME JOB 5", "RESUME JOB", "RESUME", "CREATE OR REPLACE STREAMING TABLE"),
    ("CREATE WINDOW FUNCTION w(INT) LANGUAGE PYTHON AS 'm.W'", "CREATE WINDOW FUNCTION", "CREATE WINDOW", "SESSION"),
    ("CREATE OR REPLACE AGGREGATE FUNCTION f(INT)", "CREATE AGGREGATE FUNCTION", None, "keep state"),
    ("CREATE TEMPORARY FUNCTION f AS 'm.f'", "CREATE FUNCTION", "CREATE TEMPORARY FUNCTION", "register_stream"),
    ("CREATE PROCESS FUNCTION f(INT)", "CREATE PROCESS FUNCTION", "CREATE PROCESS FUNCTION", "keep state"),
    ("EXPLAIN CREATE SAVEPOINT s", "CREATE SAVEPOINT", "CREATE SAVEPOINT", "STOP JOB id"),
]


@pytest.mark.parametrize(("text", "name", "at", "instead"), REFUSED)
def test_is_refused(text, name, at, instead):
    error = fails(text, UnsupportedError, f"{name} is not supported yet", at)
    assert error.span is not None
    assert instead in error.hint


def test_places_are_of_the_script():
    script = "SELECT 1;\n  SHOW SAVEPOINTS"
    with pytest.raises(UnsupportedError) as caught:
        bind(script[10:], 10, CATALOG, Settings())
    assert script[caught.value.span.start : caught.value.span.end] == "SHOW SAVEPOINTS"


def test_patterns_say_what_finds_them():
    error = fails(
        "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY a PATTERN (A B) DEFINE A AS a > 1)",
        UnsupportedError,
        "MATCH_RECOGNIZE is not supported yet",
        "MATCH_RECOGNIZE",
    )
    assert "LAG" in error.hint


def test_names_that_are_such_words_are_names():
    fails("SELECT * FROM savepoint", CatalogError, "savepoint")
    fails("DROP TABLE checkpoint, savepoint, SELECT", SqlSyntaxError, "syntax error", "SELECT")
    fails("STOP JOB 5 FIRMLY", SqlSyntaxError, "syntax error at 'FIRMLY'", "FIRMLY")


@pytest.mark.parametrize(
    "key", ["execution.savepoint.path", "execution.checkpointing.interval", "state.savepoints.dir"]
)
def test_settings_of_snapshots(key):
    with pytest.raises(ConfigError, match="is not supported yet") as caught:
        Settings().with_value(key, "x")
    assert "no snapshots" in caught.value.detail
