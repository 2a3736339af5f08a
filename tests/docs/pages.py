"""Pages of documentation whose SQL is executed: results and errors stand in comments behind the statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import tableflow
from tableflow.sql.lexer import Kind, lex

Example = tuple[str, list[str]]


def examples(page: Path) -> list[Example]:
    """Statements with the lines that stand behind each."""
    found: list[Example] = []
    for block in re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL):
        text = ""
        for lexeme in lex(block):
            if lexeme.kind is Kind.OPERATOR and lexeme.text == ";" and not _is_open(text):
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


def _is_open(text: str) -> bool:
    """Whether it is a statement set whose END has not come."""
    words = text.upper().split()
    return words[:3] == ["EXECUTE", "STATEMENT", "SET"] and words[-1] != "END"


def run(connection: tableflow.Connection, statements: Sequence[Example]) -> None:
    """Runs them in order; rows are compared in any order."""
    for statement, expected in statements:
        if expected and expected[0].startswith("error: "):
            with pytest.raises(tableflow.Error, match=re.escape(expected[0].removeprefix("error: "))):
                connection.execute(statement)
            continue
        cursor = connection.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        if expected:
            shown = [" | ".join("NULL" if value is None else str(value) for value in row) for row in rows]
            assert sorted(shown) == sorted(expected), statement
