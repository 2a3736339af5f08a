"""``python -m tpch generate|check|bench``."""

from __future__ import annotations

import sys

from benchmarks.side_by_side.command import run_command
from tpch.suite import SUITE

if __name__ == "__main__":
    sys.exit(run_command(SUITE))
