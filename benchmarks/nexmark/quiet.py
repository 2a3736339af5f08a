"""One engine's turn begins when the other does nothing any more: a JVM compiles and collects for a while after its job has ended.

What a process does is told by its processor time, which the system counts for all of its threads.  Waiting ends after some
seconds in any case, so that a process which is never quiet spoils figures, but holds nothing up.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

_OF_PROCESS = 2
"""Which of the clocks that belong to a process: its processor time as the scheduler counts it (``CPUCLOCK_SCHED``)."""
_LOOK_SECONDS = 0.2
_SHARE = 0.02
_MOST_SECONDS = 8.0


def processor_seconds(process: int) -> float:
    """The processor time of a process, with that of its threads that have ended; 0 of a process that has ended."""
    try:
        return time.clock_gettime((~process << 3) | _OF_PROCESS)  # what clock_getcpuclockid(3) gives
    except OSError:
        return 0.0


def wait_until_quiet(processes: Sequence[int], most: float = _MOST_SECONDS, look: float = _LOOK_SECONDS) -> bool:
    """Waits until the processes together need less than a fiftieth of a processor; False: ``most`` seconds were not enough."""
    end = time.perf_counter() + most
    began, before = time.perf_counter(), sum(map(processor_seconds, processes))
    while began < end:
        time.sleep(look)
        now, spent = time.perf_counter(), sum(map(processor_seconds, processes))
        if spent - before < _SHARE * (now - began):
            return True
        began, before = now, spent
    return False
