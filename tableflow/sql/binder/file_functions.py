"""read_csv('path', option = value, ...) and its like: files in FROM whose format or options have to be said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from sqlglot import exp

from tableflow.catalog.provider import TableProvider
from tableflow.errors import BindError, Span, TableFlowError
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.file_options import read_options
from tableflow.sql.binder.scope import did_you_mean
from tableflow.sql.binder.versions import TABLE_CHANGES
from tableflow.sql.copy_syntax import CopyOption
from tableflow.sql.window_table_syntax import NAMES as WINDOW_FUNCTIONS

FILE_FUNCTIONS = {
    "read_csv": "csv", "read_csv_auto": "csv", "read_json": "json", "read_json_auto": "json", "read_ndjson": "json",
    "read_parquet": "parquet", "parquet_scan": "parquet", "read_arrow": "arrow", "read_orc": "orc",
}  # fmt: skip
"""Functions that read files, and the formats they read."""


def no_function(name: str, span: Span | None) -> TableFlowError:
    """What FROM cannot call: a name that is misspelt, or a function of other engines."""
    meant = did_you_mean(name, [*sorted(WINDOW_FUNCTIONS), *FILE_FUNCTIONS, TABLE_CHANGES])
    if meant:
        return BindError(f"there is no table function {name!r}", hint=meant, span=span)
    return refused(f"a table function ({name})", span)


def file_function(block: Block, node: exp.Anonymous, span: Span | None) -> tuple[TableProvider, str, str]:
    """The table of such a call, the name it has without an alias, and the call in words.

    The words tell scans of one file with different options apart.
    """
    name = node.name.lower()
    kind = FILE_FUNCTIONS[name]
    args = node.expressions
    if not args or not (isinstance(args[0], exp.Literal) and args[0].is_string):
        raise BindError(
            f"{name.upper()} takes the path of a file as a string",
            hint=f"{name}('data.{kind}')",
            span=span if not args else block.source.span(args[0]),
        )
    path = str(args[0].this)
    options = read_options(block.source, [_option(block, name, each) for each in args[1:]], kind, name.upper())
    try:
        provider = block.context.catalog.file(path, (), (("format", kind), *options))
    except TableFlowError as error:
        raise error.at(block.source.span(args[0])) from None
    stem = PurePath(path).name.split(".")[0] or "file"
    return provider, stem, f"{path}{_words(options)}"


def _option(block: Block, function: str, node: exp.Expr) -> CopyOption:
    """``name = value`` as an option; its place is that of the name."""
    span = block.source.span(node) or Span(0, 0)
    if isinstance(node, exp.EQ) and isinstance(node.this, exp.Column) and not node.this.table:
        value = node.expression
        if isinstance(value, (exp.Literal, exp.Boolean)):
            text = str(value.this).lower() if isinstance(value, exp.Boolean) else str(value.this)
            return CopyOption(node.this.name.upper(), text, block.source.offsets(node.this))
        raise BindError(f"option {node.this.name.upper()} takes a constant", span=span)
    raise BindError(
        f"{function.upper()} takes one path; options are written name = value", hint=f"{function}('...', header = true)"
        if function.startswith("read_csv") else None, span=span,
    )  # fmt: skip


def _words(options: Sequence[tuple[str, str]]) -> str:
    return f" ({', '.join(f'{name} = {value!r}' for name, value in options)})" if options else ""
