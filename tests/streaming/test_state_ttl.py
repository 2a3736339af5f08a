"""State that does not change for long is forgotten, for all tables or for those that a hint names; the clock is simulated."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.runtime.source import Done

SECOND = 1_000_000
SCHEMA = {"k": "INT", "v": "INT"}


def total(text: str, *settings: tuple[str, str]) -> Counter[Any]:
    """The sum of all changes of a query over s, whose rows come seconds apart, and t, whose rows come at once."""
    with tableflow.connect(settings={"execution.scheduler-seed": "5", **dict(settings)}) as connection:
        first, later = Rows([(1, 1), (2, 2)]), Rows([(1, 3)])
        connection.register_stream("s", SCHEMA, Script([first, Delay(3 * SECOND), later, Delay(SECOND), later, Done()]))
        connection.register_stream("t", SCHEMA, Script([first, Done()]))
        cursor = connection.execute(text)
        changes: Counter[Any] = Counter()
        while some := cursor.fetch_changes(timeout=20):
            for kind, row in some:
                changes[tuple(row)] += 1 if kind.startswith("+") else -1
        return +changes


GROUPED = "SELECT {hint} k, count(*) FROM s GROUP BY k"
JOINED = "SELECT {hint} s.v, t.v FROM s JOIN t ON s.k = t.k"
FIRST = "SELECT {hint} k, v FROM s QUALIFY row_number() OVER (PARTITION BY k ORDER BY v) = 1"
TTL = ("table.exec.state.ttl", "2 s")


@pytest.mark.parametrize("how", ["setting", "hint", "hint against setting"])
def test_what_is_forgotten_begins_anew(how: str) -> None:
    settings = [TTL] if how == "setting" else [("table.exec.state.ttl", "30 d")] if "against" in how else []
    hint = "" if how == "setting" else "/*+ STATE_TTL('s' = '2 s') */"
    assert total(GROUPED.format(hint=hint), *settings) == Counter({(1, 1): 1, (1, 2): 1, (2, 1): 1})
    assert total(FIRST.format(hint=hint), *settings) == Counter({(1, 1): 1, (1, 3): 1, (2, 2): 1})
    hint = hint.replace("'s'", "'t'")
    assert total(JOINED.format(hint=hint), *settings) == Counter({(1, 1): 1, (2, 2): 1})


def test_without_a_time_everything_is_kept() -> None:
    for hint, settings in (("", []), ("/*+ STATE_TTL('s' = '0', 't' = '0') */", [TTL])):
        assert total(JOINED.format(hint=hint), *settings) == Counter({(1, 1): 1, (2, 2): 1, (3, 1): 2})
        hint = hint.replace(", 't' = '0'", "")
        assert total(GROUPED.format(hint=hint), *settings) == Counter({(1, 3): 1, (2, 1): 1})
        assert total(FIRST.format(hint=hint), *settings) == Counter({(1, 1): 1, (2, 2): 1})


def test_plans_say_how_long_and_wrong_hints_are_warnings() -> None:
    with tableflow.connect(settings=dict([TTL])) as connection:
        for name in "st":
            connection.register_stream(name, SCHEMA, Script([Done()]))
        text = JOINED.format(hint="/*+ STATE_TTL('s' = '1 d') */")
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN PHYSICAL {text}").fetchall())
        assert "left for INTERVAL '1' DAY, right for INTERVAL '2' SECOND" in plan
        for hint in ("'s' = 'soon'", "'s'", "'q' = '1 d'"):
            outcome = connection.session.execute(JOINED.format(hint=f"/*+ STATE_TTL({hint}) */"))
            assert any("STATE_TTL" in warning for warning in outcome.warnings)
            assert outcome.result is not None
            outcome.result.close()
