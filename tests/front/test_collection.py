"""Planning holds the garbage collector back, and leaves it as it was."""

import gc

import pytest

import tableflow
from tableflow.session.collection import collection_held


def test_it_is_as_it_was() -> None:
    assert gc.isenabled()
    with collection_held():
        assert not gc.isenabled()
        with collection_held():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_whoever_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with collection_held():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_statements_leave_it_on() -> None:
    with tableflow.connect() as connection:
        connection.execute("SELECT 1")
        assert gc.isenabled()
        with pytest.raises(tableflow.Error):
            connection.execute("SELECT nothing")
        assert gc.isenabled()
