"""What every plan of the 43 queries has: few columns, few keys, few sums, no sort of more than what is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tableflow
from benchmarks.clickbench.schema import HITS
from benchmarks.clickbench.suite import NUMBERS, query_text


@pytest.fixture(scope="module")
def plans(hits: Path) -> dict[int, str]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.execute(f"CREATE VIEW hits AS SELECT * FROM '{hits}/hits.parquet'")
        found = {}
        for number in NUMBERS:
            found[number] = "\n".join(
                str(row[0]) for row in connection.execute(f"EXPLAIN {query_text(number)}").fetchall()
            )
    return found


def test_only_columns_that_a_query_names_are_read(plans):
    for number, plan in plans.items():
        [scan] = re.findall(r"TableScan \S+ \[(.*?)\]", plan) or [""]
        read = set(scan.split(", ")) - {""}
        if number == 6:  # the least and the greatest date are in the footer
            assert "TableScan" not in plan
            continue
        named = {name for name in HITS.names if re.search(rf"\b{name}\b", query_text(number))}
        assert read == (set(HITS.names) if number == 23 else named), f"q{number}"


def test_no_more_rows_are_sorted_than_come_out(plans):
    for number, plan in plans.items():
        text = query_text(number)
        assert ("TopN" in plan) is ("ORDER BY" in text and "LIMIT" in text), f"q{number}"
        assert ("SortRows" in plan) is ("ORDER BY" in text and "LIMIT" not in text), f"q{number}"


def test_what_follows_from_something_else_is_not_computed_for_each_row(plans):
    assert set(re.findall(r"sum\((.*?)\)", plans[29])) == {"ResolutionWidth"}
    assert set(re.findall(r"HashAggregate \w+ by (\[.*?\])", plans[34])) == {"[URL]"}
    assert set(re.findall(r"HashAggregate \w+ by (\[.*?\])", plans[35])) == {"[ClientIP]"}
