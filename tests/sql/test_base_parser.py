"""Our parser is made from Python, whatever build of sqlglot there is."""

from __future__ import annotations

import sys

import sqlglot
from sqlglot.parsers import base

from tableflow.sql import base_parser


def test_where_sqlglot_is_compiled_its_parser_is_made_from_the_source(monkeypatch):
    before = sys.modules["sqlglot.parser"]
    monkeypatch.setattr(base_parser, "_is_source", lambda module: False)
    made = base_parser._interpreted()
    assert made is not base.BaseParser
    assert made.__mro__[1].__name__ == "Parser"
    assert made.__mro__[1] is not before.Parser

    class Ours(made):
        pass

    tokens = sqlglot.tokenize("SELECT a + 1 FROM t")
    assert Ours().parse(tokens, "SELECT a + 1 FROM t")[0].sql() == "SELECT a + 1 FROM t"
    assert sys.modules["sqlglot.parser"] is before
    assert sqlglot.parser is before
