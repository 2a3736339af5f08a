"""The options that make a table over files one without end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tableflow.config import duration
from tableflow.connectors.filesystem.format import Format, Watch
from tableflow.connectors.filesystem.formats import FORMATS
from tableflow.connectors.option import Option, OptionError, boolean

_FOLLOW_INTERVAL = 100_000

WATCHING = (
    Option("source.monitor-interval", "duration", duration,
           "how often the path is looked at for new files: the table has no end; by default it is as it was when read"),
    Option("source.follow", "boolean", boolean, "text files may grow while they are read: the table has no end",
           default=False),
)  # fmt: skip


def watch_of(file_format: Format, path: str, options: Mapping[str, Any]) -> Watch | None:
    """What a declared table waits for; None if it is the files there are, as they are."""
    interval, follow = options.get("source.monitor-interval"), bool(options.get("source.follow"))
    if follow and not file_format.follows:
        raise OptionError(
            f"files of format {file_format.name!r} cannot grow while they are read",
            option="source.follow",
            hint="leave 'source.follow' out: with 'source.monitor-interval' new files are read as they come",
        )
    if interval is None and not follow:
        return None
    endings = () if options["format"] else FORMATS[file_format.name].suffixes
    return Watch(path, interval or _FOLLOW_INTERVAL, endings, follow)
