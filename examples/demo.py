"""The first look that ``make demo`` gives: TPC-H data, a query file, where the time went, what to try next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCALE = 0.1
HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "demo"
QUERY = HERE / "revenue_by_nation.sql"


def run(*command: str) -> None:
    """Shows a command and runs it."""
    print(f"\n$ {' '.join(Path(part).name if Path(part).is_absolute() else part for part in command)}", flush=True)
    subprocess.run(command, check=True, cwd=DATA)


def main() -> None:
    """Generates the data once, then runs the query."""
    DATA.mkdir(parents=True, exist_ok=True)
    binaries = Path(sys.executable).parent
    if not (DATA / "lineitem.parquet").exists():
        run(str(binaries / "tpchgen-cli"), "parquet", "--scale-factor", str(SCALE), "--output-dir", ".")
    print(f"\n{QUERY.read_text()}")
    run(str(binaries / "tableflow"), "run", str(QUERY), "--timing")
    tableflow = ".venv/bin/tableflow"
    print(f"""
Three things to try next:
  1. {tableflow} run -c "SELECT count(*), min(o_orderdate) FROM 'data/demo/orders.parquet'"
  2. {tableflow} run -c "EXPLAIN ANALYZE SELECT o_orderpriority, count(*) FROM 'data/demo/orders.parquet' GROUP BY 1"
  3. .venv/bin/python -c "import tableflow; print(tableflow.connect().execute('SELECT 6 * 7').fetchall())"
""")


if __name__ == "__main__":
    main()
