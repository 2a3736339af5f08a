"""Modules of functions are loaded when a name is looked for that none of the loaded ones has, by whichever thread that is."""

from __future__ import annotations

import pytest

from tableflow.expressions import registry


class _Meeting(dict):
    """Known entries; while one thread looks among them for the first time, before or behind its look, another loads all."""

    def __init__(self, meets):
        super().__init__()
        self.meets = meets
        self.load_all = None

    def get(self, name, default=None):
        load_all, self.load_all = self.load_all, None
        if load_all and self.meets == "before":
            load_all()
        found = super().get(name, default)
        if load_all and self.meets == "behind":
            load_all()
        return found


@pytest.mark.parametrize("meets", ["before", "behind"])
def test_what_another_thread_loads_meanwhile_is_found(meets):
    index = registry._Index("FUNCTIONS", "logic", "arithmetic")
    index.known = _Meeting(meets)
    index.known.load_all = index.all
    assert index.get("add") is registry.function("add")
    assert index.get("nothing is called so") is None
