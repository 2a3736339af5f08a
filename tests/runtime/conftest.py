"""A pool of workers, shared by the tests as a session would share it."""

from __future__ import annotations

import pytest

from tableflow.runtime.scheduler import WorkerPool


@pytest.fixture(scope="session")
def workers():
    pool = WorkerPool(2)
    yield pool
    pool.close()


@pytest.fixture(params=["threads", 0, 1, 2])
def scheduling(request, workers):
    """Arguments of ``Plan.job``: the pool, and the seed if it is a simulation."""
    if request.param == "threads":
        return workers, {}
    return None, {"seed": request.param}
