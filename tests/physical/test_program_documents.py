"""A program is checked when it is loaded: whatever a document says, it ends in an error and never in foreign memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.programs import (
    Instruction,
    LaneError,
    Program,
    ProgramDefinition,
    ProgramOutput,
    RowError,
)
from tableflow.errors import SerializationError

INPUTS = (t.Field(1, "a", t.BIGINT), t.Field(2, "s", t.STRING))
BATCH = Batch(
    [Column(t.BIGINT, pa.array([3, None, -1])), Column(t.STRING, pa.array(["x", "é", None]).dictionary_encode())], 3
)
GOOD = ProgramDefinition(
    INPUTS,
    ("i64", "i64", "i64", "str", "bool"),
    (
        Instruction("const.i64", 1, (), (7,)),
        Instruction("by_code", -1, (), (1, 2)),
        Instruction("load.str", 3, (), (1,)),
        Instruction("like.str", 4, (3,), ("x%", "")),
        Instruction("filter.bool", -1, (4,)),
        Instruction("load.i64", 0, (), (0,)),
        Instruction("add.i64", 2, (0, 1), (), 1),
        Instruction("check.i64", -1, (2,)),
    ),
    (ProgramOutput(t.BIGINT, register=2, format="l"), ProgramOutput(t.STRING, column=1)),
    (LaneError("too large"),),
)


def test_the_program_that_is_damaged_below_works() -> None:
    result = Program(GOOD).apply(BATCH)
    assert result is not None
    assert [c.to_pylist() for c in result.columns] == [[10], ["x"]]


def changed(at: int, **values: Any) -> ProgramDefinition:
    code = list(GOOD.instructions)
    code[at] = replace(code[at], **values)
    return replace(GOOD, instructions=tuple(code))


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        (changed(0, op="const.i65"), "unknown instruction"),
        (changed(0, immediates=("text",)), "another kind"),
        (changed(0, immediates=(2**63,)), "out of range"),
        (changed(0, out=9), "out of range"),
        (changed(0, out=3), "another kind"),
        (changed(1, immediates=(7, 2)), "column out of range"),
        (changed(1, immediates=(1, 200)), "block out of range"),
        (changed(1, immediates=(1, 6)), "a block with 'filter.bool'"),
        (changed(2, immediates=(0,)), "another column"),
        (changed(2, immediates=()), "another column"),
        (changed(3, immediates=("a\\", "\\")), "escape"),
        (changed(3, args=(4,)), "reads from outside"),
        (changed(4, args=(99,)), "was not made"),
        (changed(5, immediates=(-1,)), "column out of range"),
        (changed(6, error=0), "without its error"),
        (changed(6, error=2), "without its error"),
        (changed(6, args=(0,)), "number of arguments"),
        (changed(6, out=0), "made twice"),
        (changed(7, args=(3,)), "inside of a block"),
        (replace(GOOD, registers=("i64", "i64", "i64", "str", "byte")), "unknown register kind"),
        (replace(GOOD, outputs=(ProgramOutput(t.STRING, register=2, format="u"),)), "cannot be stored"),
        (replace(GOOD, outputs=(ProgramOutput(t.BIGINT, register=4, format="b"),)), "was not made"),
        (replace(GOOD, outputs=(ProgramOutput(t.STRING, column=5),)), "column out of range"),
    ],
)
def test_what_is_wrong_is_found_when_it_is_loaded(definition: ProgramDefinition, complaint: str) -> None:
    with pytest.raises(SerializationError) as raised:
        Program(definition)
    assert complaint in str(raised.value.detail)


SMALL = st.integers(-2, 9)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, len(GOOD.instructions) - 1),
    st.fixed_dictionaries(
        {},
        optional={
            "op": st.sampled_from(
                [
                    "load.i32",
                    "load.str",
                    "load.bool",
                    "add.i64",
                    "mul.i128",
                    "by_code",
                    "substring.str",
                    "settle",
                    "select.i64",
                ]
            ),
            "out": SMALL,
            "args": st.lists(SMALL, max_size=3).map(tuple),
            "immediates": st.lists(
                SMALL | st.none() | st.text(max_size=2) | st.floats() | st.integers(), max_size=3
            ).map(tuple),
            "error": SMALL,
        },
    ),
)
def test_damage_ends_in_an_error_or_in_another_program(at: int, values: dict[str, Any]) -> None:
    try:
        Program(changed(at, **values)).apply(BATCH)
    except (SerializationError, RowError, ValueError):
        return


def test_a_batch_that_does_not_fit_is_refused() -> None:
    program = Program(GOOD)
    text = Column(t.STRING, pa.array(["1", "2", "3"]))
    for batch in (
        Batch(BATCH.columns[:1], 3),
        Batch([text, BATCH.columns[1]], 3),
        Batch([BATCH.columns[0].slice(0, 2), text], 3),
    ):
        with pytest.raises(ValueError, match=r"fit|lengths|number of columns"):
            program.apply(batch)
