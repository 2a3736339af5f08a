"""The page about SQL on tables: its blocks are run in order, results and errors stand in comments behind the statements."""

import re
from pathlib import Path

import pytest

import tableflow
from tableflow.sql.lexer import Kind, lex

PAGE = Path(__file__).parents[2] / "docs" / "sql-tables.md"


def examples() -> list[tuple[str, list[str]]]:
    """Statements with the lines that stand behind each."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL):
        text = ""
        for lexeme in lex(block):
            if lexeme.kind is Kind.OPERATOR and lexeme.text == ";":
                found.append((text.strip(), []))
                text = ""
            elif lexeme.kind is Kind.COMMENT:
                at_start = block[: lexeme.start].rstrip(" ").endswith("\n")
                if at_start and not text.strip():
                    found[-1][1].append(lexeme.text.removeprefix("--").strip())
            else:
                text += lexeme.text
        assert not text.strip(), f"a block ends within a statement: {text}"
    return found


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tableflow.connect() as connection:
        for statement, expected in examples():
            if expected and expected[0].startswith("error: "):
                with pytest.raises(tableflow.Error, match=re.escape(expected[0].removeprefix("error: "))):
                    connection.execute(statement)
                continue
            cursor = connection.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            if expected:
                shown = [" | ".join(str(value) for value in row) for row in rows]
                assert sorted(shown) == sorted(expected), statement


def test_there_are_examples():
    statements = examples()
    assert len(statements) > 40
    assert sum(bool(expected) for _, expected in statements) > 15
