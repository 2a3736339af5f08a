"""Room for functions that call themselves once for each level of nesting in a statement.

Invariant: what recurses into nesting ends in a RecursionError or a result, never in a crash.  The interpreter's limit counts
frames of all kinds; those that call each other through C (a hash of a tuple of tuples, ``any`` over a generator) also take
about half a kilobyte of the thread's stack each, and eight megabytes of stack hold :data:`FRAMES` of them.  A statement that
needs more is looked at again in a thread with more of both.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

FRAMES = 10_000
"""Frames that any thread may use: evaluating, compiling and reading an expression takes up to eight for each level."""
STACK_BYTES = 16 << 20
"""Stack of threads of ours, of which only what is used is ever allocated."""
_DEEP_FRAMES = 100_000
_DEEP_STACK_BYTES = 256 << 20

sys.setrecursionlimit(max(sys.getrecursionlimit(), FRAMES))

_one_at_a_time = threading.Lock()
_here = threading.local()


@contextmanager
def stack_of(size: int) -> Iterator[None]:
    """Threads that are started inside have a stack of this size."""
    before = threading.stack_size(size)
    try:
        yield
    finally:
        threading.stack_size(before)


def with_room(call: Callable[[], Result]) -> Result:
    """What ``call`` gives; if it recurses too deeply, it is called again where there is more room.

    So what it did before it failed must not matter.  RecursionError if that is not enough either.
    """
    try:
        return call()
    except RecursionError:
        if getattr(_here, "deep", False):
            raise
    return _in_deep_thread(call)


def roomy(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorator: every call is one :func:`with_room`."""

    @functools.wraps(function)
    def called(*args: Arguments.args, **named: Arguments.kwargs) -> Result:
        return with_room(lambda: function(*args, **named))

    return called


def _in_deep_thread(call: Callable[[], Result]) -> Result:
    results: list[Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        _here.deep = True
        try:
            results.append(call())
        except BaseException as failure:  # noqa: BLE001 - it is raised where it belongs
            failures.append(failure)

    with _one_at_a_time:
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(before, _DEEP_FRAMES))
        try:
            thread = threading.Thread(target=run, name="tableflow-deep")
            with stack_of(_DEEP_STACK_BYTES):
                thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(before)
    if failures:
        raise failures[0]
    return results[0]
