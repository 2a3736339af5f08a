"""Hints: read, attached to the block's topmost join or plan, reported when they mean nothing."""

import pytest

from tableflow.errors import SqlSyntaxError, UnsupportedError
from tableflow.planner.logical.nodes import Hinted, Join
from tableflow.sql.hints import HINTS
from tests.sql.binding import bound, fails, joins, nodes, query


def hints(text: str) -> list[tuple[str, tuple[str, ...]]]:
    found = [node for node in nodes(query(text).root) if isinstance(node, Join | Hinted) and node.hints]
    return [(hint.name, hint.arguments) for node in found for hint in node.hints]


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("BROADCAST(u)", [("BROADCAST", ("u",))]),
        ("broadcast(U)", [("BROADCAST", ("U",))]),
        ("SHUFFLE_HASH(t, u)", [("SHUFFLE_HASH", ("t", "u"))]),
        ("SHUFFLE_MERGE(t, u) NEST_LOOP(u)", [("SHUFFLE_MERGE", ("t", "u")), ("NEST_LOOP", ("u",))]),
        ("LEADING(u, t), NO_REORDER", [("LEADING", ("u", "t")), ("NO_REORDER", ())]),
        ("ROWS(t, 1e6)", [("ROWS", ("t", "1e6"))]),
        ("SELECTIVITY(t, 0.01)", [("SELECTIVITY", ("t", "0.01"))]),
        ("UNIQUE(t.a)", [("UNIQUE", ("t.a",))]),
        ("PARALLEL(8)", [("PARALLEL", ("8",))]),
        ("STATE_TTL('t' = '1d', 'u' = '2h')", [("STATE_TTL", ("t=1d", "u=2h"))]),
    ],
)
def test_read(hint, expected):
    text = f"SELECT /*+ {hint} */ 1 FROM t JOIN u ON t.a = u.a"
    assert hints(text) == expected
    assert not bound(text).warnings


def test_every_hint_is_described():
    assert all(doc.startswith(name) for name, doc in HINTS.items())


def test_block_without_join():
    (found,) = [
        node for node in nodes(query("SELECT /*+ PARALLEL(4) */ a FROM t WHERE a > 1").root) if isinstance(node, Hinted)
    ]
    assert [hint.name for hint in found.hints] == ["PARALLEL"]


def test_a_hint_belongs_to_its_own_block():
    text = "SELECT /*+ BROADCAST(q) */ 1 FROM t JOIN (SELECT /*+ BROADCAST(v) */ u.a FROM u JOIN v ON u.a = v.a) q ON t.a = q.a"
    outer, inner = joins(text)
    assert (outer.hints[0].arguments, inner.hints[0].arguments) == (("q",), ("v",))
    assert outer.block != inner.block
    warned = bound(text.replace("BROADCAST(q)", "BROADCAST(v)")).warnings
    assert "names 'v', which is not in FROM" in warned[0].message


@pytest.mark.parametrize(
    ("hint", "message", "at"),
    [
        ("BROADCASTS(u)", "'BROADCASTS' is not known: did you mean 'BROADCAST'", "BROADCASTS"),
        ("BROADCAST(x)", "names 'x', which is not in FROM", "BROADCAST"),
        ("BROADCAST", "needs 1 argument", "BROADCAST"),
        ("LEADING(t)", "needs 2 argument", "LEADING"),
        ("ROWS(t, many)", "needs a number, not 'many'", "ROWS"),
        ("PARALLEL(0)", "needs a number, not '0'", "PARALLEL"),
        ("BROADCAST(u", "parenthesis", "BROADCAST"),
        ("(u)", "cannot begin with '('", "("),
        ("5", "cannot begin with '5'", "5"),
    ],
)
def test_warnings(hint, message, at):
    text = f"SELECT /*+ {hint} */ 1 FROM t JOIN u ON t.a = u.a"
    (warning,) = bound(text).warnings
    assert message in warning.message
    assert text[warning.span.start : warning.span.end] == at
    assert not hints(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT a FROM t /*+ OPTIONS('k' = 'v') */", UnsupportedError),
        ("SELECT a FROM t /*+ OPTIONS('k' = 'v') */ JOIN u ON true", UnsupportedError),
        ("SELECT a FROM t AS q /*+ OPTIONS('k' = 'v') */", UnsupportedError),
        ("SELECT a /*+ BROADCAST(t) */ FROM t", SqlSyntaxError),
        ("/*+ BROADCAST(t) */ SELECT a FROM t", SqlSyntaxError),
        ("SELECT a FROM t WHERE /*+ X */ a = 1", SqlSyntaxError),
    ],
)
def test_hints_elsewhere_are_not_swallowed(text, kind):
    fails(text, kind, "hint|begins no statement")
