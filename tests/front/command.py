"""Running the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tableflow.shell.main"]


def environment(**more: str) -> dict[str, str]:
    """The environment in which a new Python finds this package from any directory."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def tableflow(*arguments: str, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """What the command printed, as text, and its exit code; never a traceback."""
    env = environment(**options.pop("env", {}))
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **options,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
