"""Making the data: tpchgen-cli, one Parquet file a table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tpch.queries import TABLES


def generate(scale: float, out: Path) -> None:
    """Writes ``out/<table>.parquet`` for all tables; tables that are there already are kept."""
    if all((out / f"{table}.parquet").exists() for table in TABLES):
        return
    out.mkdir(parents=True, exist_ok=True)
    beside_python = Path(sys.executable).parent / "tpchgen-cli"
    tool = str(beside_python) if beside_python.exists() else shutil.which("tpchgen-cli")
    if tool is None:
        sys.exit("error: tpchgen-cli is not installed\nhint: pip install tpchgen-cli")
    command = [tool, "parquet", "--scale-factor", f"{scale:g}", "--output-dir", str(out), "--overwrite"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
