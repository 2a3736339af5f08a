"""All file formats, by name and by the ending of a file's name; each module is imported when it is first needed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from tableflow.connectors.filesystem.format import Format
from tableflow.connectors.filesystem.options import ENDINGS
from tableflow.records import dataclass


def _parquet() -> Format:
    from tableflow.connectors.filesystem.parquet import ParquetFormat

    return ParquetFormat()


def _csv() -> Format:
    from tableflow.connectors.filesystem.csv import CsvFormat

    return CsvFormat()


def _json() -> Format:
    from tableflow.connectors.filesystem.json import JsonFormat

    return JsonFormat()


def _arrow() -> Format:
    from tableflow.connectors.filesystem.arrow import ArrowFormat

    return ArrowFormat()


def _orc() -> Format:
    from tableflow.connectors.filesystem.orc import OrcFormat

    return OrcFormat()


def _changelog_json() -> Format:
    from tableflow.connectors.filesystem.change_formats import ChangelogJsonFormat

    return ChangelogJsonFormat()


def _debezium_json() -> Format:
    from tableflow.connectors.filesystem.change_formats import DebeziumJsonFormat

    return DebeziumJsonFormat()


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """A format's name, the endings that tell it, and how it is loaded."""

    name: str
    suffixes: tuple[str, ...]
    load: Callable[[], Format]


def _endings(name: str) -> tuple[str, ...]:
    return tuple(ending for ending, told in ENDINGS.items() if told == name)


FORMATS: Mapping[str, FormatEntry] = {
    entry.name: entry
    for entry in (
        FormatEntry("parquet", _endings("parquet"), _parquet),
        FormatEntry("csv", _endings("csv"), _csv),
        FormatEntry("json", _endings("json"), _json),
        FormatEntry("arrow", _endings("arrow"), _arrow),
        FormatEntry("orc", _endings("orc"), _orc),
        FormatEntry("changelog-json", _endings("json"), _changelog_json),
        FormatEntry("debezium-json", _endings("json"), _debezium_json),
    )
}
BY_SUFFIX: Mapping[str, str] = ENDINGS


@functools.cache
def load_format(name: str) -> Format:
    """The format of a name in :data:`FORMATS`."""
    return FORMATS[name].load()
