"""``python -m tableflow``: the command, for where its script is not on the path."""

from __future__ import annotations

from tableflow.shell.main import command

if __name__ == "__main__":
    command()
