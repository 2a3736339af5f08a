"""Messages of Debezium: what is decoded natively is what is read message by message, and faults are named."""

import json
import random

import pytest

from tableflow import types as t
from tableflow.connectors.filesystem.debezium import DebeziumParser
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.storage import NATURAL
from tableflow.errors import ConnectorError

COLUMNS = [
    FileColumn("a", t.BIGINT), FileColumn("p", t.DecimalType(10, 2)), FileColumn("s", t.STRING), FileColumn("at", t.TIMESTAMP),
]  # fmt: skip


@pytest.fixture
def parser(tmp_path):
    def make(*, native=True, columns=COLUMNS, **options):
        path = tmp_path / "changes.json"
        path.write_text("")
        made = DebeziumParser(FileVersion(str(path), 0, 0), columns, options, NATURAL)
        if not native:
            made._native = None
        return made

    return make


def _row(draw):
    row = {
        "a": draw.randrange(9),
        "p": draw.randrange(999) / 100,
        "s": draw.choice(["x", "é\n", None]),
        "at": "2024-01-01 00:00:01",
    }
    if draw.random() < 0.3:
        del row[draw.choice(["s", "at"])]
    return row


def _message(draw, *, payload):
    op = draw.choice("crud")
    message = {
        "op": op,
        "before": _row(draw) if op in "ud" else None,
        "after": _row(draw) if op in "cru" else None,
        "ts_ms": 5,
    }
    return {"schema": {"fields": [1]}, "payload": message} if payload else message


def _read(parser, lines):
    rows, weights = parser.parse(0, "\n".join(lines).encode())
    assert rows.length == len(weights)
    return [column.to_pylist() for column in rows.columns], weights.tolist()


@pytest.mark.parametrize("payload", [[False], [True], [False, True]])
def test_messages_are_read_as_one_by_one(parser, payload):
    draw = random.Random(5)
    lines = [json.dumps(_message(draw, payload=draw.choice(payload))) for _ in range(200)]
    odd = json.dumps({"op": "c", "after": {"a": "7", "p": "1e1", "s": [1], "at": None}})  # is read by Python alone
    for some in (lines, [*lines[:3], odd, *lines[3:], odd], lines[:1], [], [odd]):
        assert _read(parser(), some) == _read(parser(native=False), some)
    assert _read(parser(columns=()), lines)[1] == _read(parser(), lines)[1]


def test_only_rows_that_come(parser):
    lines = [json.dumps({"op": "r", "after": {"a": i}}) for i in range(3)]
    assert _read(parser(), lines) == ([[0, 1, 2], [None] * 3, [None] * 3, [None] * 3], [1, 1, 1])


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ('{"op": "x", "after": {}}', "'op' c, r, u or d is expected"), ('{"op": ["c"], "after": {}}', "is expected"), ("[]", "is expected"),
        ('{"op": "u", "after": {"a": 1}}', "REPLICA IDENTITY FULL"), ('{"op": "c", "before": {"a": 1}}', "needs 'after'"),
        ('{"op": "c", "after": {"a": "x"}}', "field 'a' is not BIGINT"), ('{"op": "c", "after": {"a": 1}', "delimiter"),
    ],
)  # fmt: skip
def test_what_is_no_change_is_named(parser, line, detail):
    good = '{"op": "c", "after": {"a": 1}}'
    with pytest.raises(ConnectorError, match="is no change") as caught:
        parser().parse(0, "\n".join([good, good, line, good]).encode())
    assert detail in caught.value.detail
    lenient = parser(**{"json.ignore-parse-errors": True})
    found = _read(lenient, [good, line, good])[0][0]
    assert found in ([1, 1], [1, None, 1])  # a field that does not fit is NULL, a line that is no change is left out
