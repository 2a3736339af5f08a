"""The options of writing to a declared table over files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tableflow.config import byte_size, duration
from tableflow.connectors.option import Option, choice

SINKING = (
    Option("sink.rolling-policy.file-size", "size", byte_size,
           "INSERT begins a new file when one is about so large (128 MB)", default=128 << 20),
    Option("sink.rolling-policy.rollover-interval", "duration", duration,
           "how long rows without end go into one file before it is completed (30 minutes)", default=30 * 60 * 1_000_000),
    Option("parquet.compression", "text", choice("none", "snappy", "zstd", "lz4", "gzip", "brotli"),
           "how pages are compressed when INSERT writes", default="zstd"),
    Option("arrow.compression", "text", choice("none", "lz4", "zstd"), "how buffers are compressed when INSERT writes",
           default="none"),
)  # fmt: skip

ROWS_OF_A_GROUP = 1 << 17


def writer_options(format: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the writer of a format is told, from the options of a declared table."""
    match format:
        case "parquet":
            return {"compression": options["parquet.compression"], "row_group_size": ROWS_OF_A_GROUP}
        case "csv":
            quoted = not options["csv.disable-quote-character"]
            return {
                "header": options["csv.header"] != "false",
                "delimiter": options["csv.field-delimiter"] or ",",
                "null": options["csv.null-literal"],
                "quote": options["csv.quote-character"] if quoted else '"',
            }
        case "arrow":
            return {"compression": options["arrow.compression"]}
        case _:
            return {}
