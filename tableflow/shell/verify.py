"""``tableflow verify``: whether a script's last query has one answer, as batch and as streams."""

from __future__ import annotations

from typing import TextIO

from tableflow.errors import TableFlowError, render
from tableflow.session import Session
from tableflow.shell.run import Target
from tableflow.sql.splitter import split


def run_verify(script: str, target: Target, out: TextIO, err: TextIO, *, late: bool = False) -> int:
    """Runs all statements but the last, then that one in every way, also with ``late`` rows; 0 if all agree."""
    text = script
    session = None
    try:
        session = Session(dict(target.settings), target.database, read_only=target.read_only)
        parts = split(script)
        for part in parts[:-1]:
            text = part.text
            outcome = session.execute(text)
            if outcome.result is not None:
                outcome.result.close()
        text = parts[-1].text if parts else ""
        differing = ways = compared = 0
        for leg in session.verify(text, late=late):
            for notice in leg.notices:
                print(notice, file=out, flush=True)
            ways += 1
            differing += leg.difference is not None
            compared += leg.compared
            count = f"{leg.rows:,} row{'' if leg.rows == 1 else 's'}"
            told = "" if leg.late is None else f", {leg.late:,} late"
            print(
                f"{leg.name:<34} {count:>14}{told}  {leg.difference or ('agrees' if leg.compared else 'not compared')}",
                file=out,
                flush=True,
            )
        agreed = f"all {ways} agree" if compared else "nothing was compared"
        print(f"{differing} of {ways} differ" if differing else agreed, file=out)
        return 1 if differing else 0
    except TableFlowError as error:
        out.flush()
        print(render(error, error.script or text), file=err)
        return 1
    finally:
        if session is not None:
            session.close()
