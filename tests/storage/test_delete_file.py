"""Files of deletes come back as they were written, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.errors import ConnectorError
from tableflow.storage.delete_file import read_deletes, write_deletes
from tests.storage.file_columns import Files


@given(st.dictionaries(st.integers(0, 2**62), st.integers(1, 2**62), max_size=20))
def test_deletes_come_back(deletes: dict[int, int]) -> None:
    files, ids = Files(), np.array(sorted(deletes), np.int64)
    versions = np.array([deletes[int(i)] for i in ids], np.int64)
    file = write_deletes(files, "t/a", ids, versions)
    assert (file.name, file.rows, set(files.synced)) == ("t/a.deletes", len(deletes), {"t/a.deletes"})
    read = read_deletes(files, file)
    assert [part.tolist() for part in read] == [ids.tolist(), versions.tolist()]


def test_deletes_are_in_order() -> None:
    for ids in ([2, 1], [1, 1]):
        with pytest.raises(ValueError, match="order of row id"):
            write_deletes(Files(), "t/a", np.array(ids), np.array([1, 1]))
    with pytest.raises(ValueError, match="pairs"):
        write_deletes(Files(), "t/a", np.array([1]), np.array([1, 1]))


def test_every_byte_counts() -> None:
    files = Files()
    file = write_deletes(files, "t/a", np.arange(4), np.ones(4, np.int64))
    content = bytes(files.content[file.name])
    for at in range(len(content)):
        files.content[file.name][:] = content
        files.content[file.name][at] ^= 16
        with pytest.raises(ConnectorError, match=r"'t/a.deletes' is damaged: its checksum"):
            read_deletes(files, file)
    files.content[file.name][:] = content[:-3]
    with pytest.raises(ConnectorError, match="bytes instead of"):
        read_deletes(files, file)
    files.remove(file.name)
    with pytest.raises(ConnectorError, match=r"'t/a.deletes' cannot be read"):
        read_deletes(files, file)
