"""``python -m benchmarks.clickbench generate|check|bench``."""

from __future__ import annotations

import sys

from benchmarks.clickbench.suite import SUITE
from benchmarks.side_by_side.command import run_command

if __name__ == "__main__":
    sys.exit(run_command(SUITE))
