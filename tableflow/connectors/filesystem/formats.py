"""All file formats, by name and by the ending of a file's name."""

from __future__ import annotations

from collections.abc import Mapping

from tableflow.connectors.filesystem.arrow import ArrowFormat
from tableflow.connectors.filesystem.csv import CsvFormat
from tableflow.connectors.filesystem.format import Format
from tableflow.connectors.filesystem.json import JsonFormat
from tableflow.connectors.filesystem.orc import OrcFormat
from tableflow.connectors.filesystem.parquet import ParquetFormat

FORMATS: Mapping[str, Format] = {
    one.name: one for one in (ParquetFormat(), CsvFormat(), JsonFormat(), ArrowFormat(), OrcFormat())
}
BY_SUFFIX: Mapping[str, Format] = {suffix: one for one in FORMATS.values() for suffix in one.suffixes}
