"""Options of files, under the names of WITH (...) and under those that COPY and read_csv give them."""

from __future__ import annotations

from collections.abc import Mapping

from tableflow.connectors.filesystem.encoding import UTF8, encoding
from tableflow.connectors.option import Option, boolean, character, choice, text

READABLE = ("parquet", "csv", "json", "arrow", "orc")
"""Formats that are read; all but the last one are written, too."""

DECLARED = (*READABLE, "changelog-json", "debezium-json")
"""Formats that a declared table may have: those of changes are of JSON lines, and no ending tells them."""

OPTIONS = (
    Option("path", "text", text, "a file, a directory (all files below it) or a glob", required=True),
    Option("format", "text", choice(*DECLARED), f"{', '.join(DECLARED)}; by default told by the ending of the files"),
    Option(
        "csv.header",
        "true, false or auto",
        choice("true", "false", "auto"),
        "whether the first line names the columns; auto: with declared columns, if it does name them; else, if no cell "
        "of it is empty, a number, a date or a truth value",
        default="auto",
    ),
    Option(
        "csv.field-delimiter", "character", character,
        "what separates fields; by default a comma, and in files called .tsv a tab", aliases=("csv.delimiter",),
    ),
    Option(
        "csv.null-literal", "text", text, "the unquoted text that is NULL; by default the empty text", default=""
    ),
    Option("csv.quote-character", "character", character, "what encloses fields; doubled inside", default='"'),
    Option("csv.disable-quote-character", "boolean", boolean, "quotes have no meaning", default=False),
    Option(
        "csv.ignore-parse-errors", "boolean", boolean, "fields that do not parse are NULL, rows are skipped",
        default=False,
    ),
    Option(
        "csv.encoding", "encoding", encoding, "utf-8, latin-1 (iso-8859-1) or windows-1252", default=UTF8
    ),
    Option(
        "csv.columns-by", "name, position or either", choice("name", "position", "either"),
        "how a header finds declared columns: name; position (its names do not count); either: by name if all are there",
        default="name",
    ),
    Option("json.ignore-parse-errors", "boolean", boolean, "fields that do not parse are NULL, rows are skipped",
           default=False),
    Option("json.fail-on-missing-field", "boolean", boolean, "a field that a row does not have is an error, not NULL",
           default=False),
)  # fmt: skip

ENDINGS: Mapping[str, str] = {
    "parquet": "parquet", "parq": "parquet", "pq": "parquet", "csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json",
    "ndjson": "json", "arrow": "arrow", "feather": "arrow", "ipc": "arrow", "arrows": "arrow", "orc": "orc",
}  # fmt: skip
"""The formats that endings of files tell."""

COPY_NAMES: Mapping[str, tuple[str, ...]] = {
    "csv.header": ("header",),
    "csv.field-delimiter": ("delimiter", "delim", "sep"),
    "csv.null-literal": ("null", "nullstr"),
    "csv.quote-character": ("quote",),
    "csv.encoding": ("encoding",),
    "csv.ignore-parse-errors": ("ignore_errors",),
    "json.ignore-parse-errors": ("ignore_errors",),
}
"""What COPY FROM and read_csv call options, as Postgres and DuckDB do; the names of WITH (...) are taken as well."""


def _rows(value: str) -> int:
    number = int(value.replace("_", ""))
    if number < 1:
        raise ValueError("a whole number of at least 1 is expected")
    return number


_OVERWRITE = Option("overwrite", "boolean", boolean, "whether a file that is there is replaced", default=True)
WRITTEN: Mapping[str, tuple[Option, ...]] = {
    "parquet": (
        Option("compression", "text", choice("none", "snappy", "zstd", "lz4", "gzip", "brotli"), "how pages are compressed",
               default="zstd"),
        Option("row_group_size", "integer", _rows, "rows of a row group", default=1 << 20),
        _OVERWRITE,
    ),
    "csv": (
        Option("header", "boolean", boolean, "whether the first line names the columns", default=True,
               aliases=("csv.header",)),
        Option("delimiter", "character", character, "what separates fields", default=",",
               aliases=("delim", "sep", "csv.field-delimiter", "csv.delimiter")),
        Option("null", "text", text, "what NULL is written as; empty texts are written in quotes", default="",
               aliases=("nullstr", "csv.null-literal")),
        Option("quote", "character", character, "what encloses texts; doubled inside", default='"',
               aliases=("csv.quote-character",)),
        _OVERWRITE,
    ),
    "json": (_OVERWRITE,),
    "arrow": (
        Option("compression", "text", choice("none", "lz4", "zstd"), "how buffers are compressed", default="none"),
        _OVERWRITE,
    ),
}  # fmt: skip
"""Options of COPY TO, by format."""


def readable(format: str) -> tuple[Option, ...]:
    """Options of COPY FROM for a format, each with all its names."""
    return tuple(
        Option(
            one.name, one.kind, one.parse, one.doc, one.default, aliases=(*COPY_NAMES.get(one.name, ()), *one.aliases)
        )
        for one in OPTIONS
        if one.name.startswith(f"{format}.")
    )
