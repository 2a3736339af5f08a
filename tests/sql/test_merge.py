"""MERGE: which rows the join has, and which clause decides over a row."""

import pytest

from tableflow.errors import BindError, CatalogError, SqlSyntaxError
from tableflow.planner.logical.nodes import Join, JoinKind
from tableflow.storage.description import ChangeKind
from tests.sql.binding import fails, nodes
from tests.sql.managed import CATALOG, written

MATCHED = "WHEN MATCHED THEN UPDATE SET n = t.c "
NEW = "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (t.a, t.b) "
GONE = "WHEN NOT MATCHED BY SOURCE THEN DELETE "


@pytest.mark.parametrize(
    ("clauses", "kind"),
    [
        (MATCHED, JoinKind.INNER), (NEW, JoinKind.LEFT), (GONE, JoinKind.RIGHT), (MATCHED + NEW, JoinKind.LEFT),
        (MATCHED + GONE, JoinKind.RIGHT), (NEW + GONE, JoinKind.FULL), (MATCHED + NEW + GONE, JoinKind.FULL),
    ],
)  # fmt: skip
def test_the_join_has_the_rows_that_clauses_speak_of(clauses, kind):
    statement = written("MERGE INTO k USING t ON k.id = t.a " + clauses)
    assert [node.kind for node in nodes(statement.query.root) if isinstance(node, Join)] == [kind]
    assert statement.kind is ChangeKind.MERGE
    assert statement.action is not None
    assert statement.row_id is not None
    assert [statement.query.columns[i].name for i in statement.values] == ["id", "name", "n"]


def test_returning():
    statement = written(f"MERGE INTO k USING t ON k.id = t.a {MATCHED}{NEW} RETURNING merge_action(), k.*, t.c, *")
    assert statement.returning is not None
    names = [statement.query.columns[i].name for i in statement.returning]
    assert names == ["merge_action", "id", "name", "n", "c", "id", "name", "n"]


@pytest.mark.parametrize(
    "text",
    [
        (
            "MERGE INTO k USING (SELECT a AS id, b AS name FROM t) s ON k.id = s.id WHEN MATCHED THEN UPDATE SET * "
            "WHEN NOT MATCHED BY TARGET THEN INSERT *"
        ),
        (
            "MERGE INTO g AS x USING outside ON x.a = outside.a AND x.b > 3 WHEN MATCHED AND y = 'x' THEN DELETE "
            "WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED BY SOURCE AND x.b > 3 THEN UPDATE SET b = DEFAULT"
        ),
        (
            "MERGE INTO k USING t ON k.id = t.a WHEN NOT MATCHED AND t.c > 1 THEN INSERT VALUES (t.a, 'x', DEFAULT) "
            "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (-1, (SELECT max(y) FROM outside WHERE outside.a = t.a))"
        ),
        "MERGE INTO t USING (VALUES (1, 'x')) v(p, q) ON t.a = v.p WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
        "WITH s AS (SELECT 1 AS a) MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
    ],
)
def test_forms(text):
    assert written(text).kind is ChangeKind.MERGE


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("MERGE INTO k USING t ON k.id = t.a", SqlSyntaxError, "WHEN is expected", ""),
        ("MERGE INTO k USING t WHEN MATCHED THEN DELETE", SqlSyntaxError, "ON is expected", "WHEN"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN MATCHED THEN INSERT VALUES (1)", SqlSyntaxError,
         "WHEN MATCHED updates or deletes", "INSERT"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN NOT MATCHED THEN DELETE", SqlSyntaxError, "INSERT is expected", "DELETE"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN NOT MATCHED THEN INSERT VALUES (1)", BindError, "has 1 value, 3 are", "(1)"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN NOT MATCHED THEN INSERT (q) VALUES (1)", BindError, "no column 'q'", "q"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN NOT MATCHED THEN INSERT (id) VALUES (k.n)", BindError,
         "no table in FROM is named 'k'", "k.n"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN NOT MATCHED BY SOURCE THEN UPDATE SET n = t.c", BindError,
         "no table in FROM is named 't'", "t.c"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN MATCHED AND t.a THEN DELETE", BindError, "needs a BOOLEAN", "t.a"),
        ("MERGE INTO k USING t ON k.id = (SELECT 1) WHEN MATCHED THEN DELETE", BindError, "ON of MERGE cannot hold", None),
        ("MERGE INTO k USING outside ON k.id = y WHEN MATCHED THEN UPDATE SET *", BindError, "INT and STRING|no column", None),
        ("MERGE INTO k USING t AS k ON TRUE WHEN MATCHED THEN DELETE", BindError, "'k' is used twice", None),
        ("MERGE INTO outside USING t ON TRUE WHEN MATCHED THEN DELETE", CatalogError, "cannot be changed", "outside"),
        ("MERGE INTO k USING t ON k.id = t.a WHEN SOMETIMES THEN DELETE", SqlSyntaxError, "MATCHED is expected", "SOMETIMES"),
    ],
)  # fmt: skip
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at, CATALOG)
