"""SQL text in, statements as data out: lexer and splitter, dialect, session commands, binder.

Takes text, a frozen catalog, settings and parameters; gives :mod:`tableflow.sql.statements`, whose queries are logical
plans.  May use the planner's logical nodes, expressions, catalog, types and errors, and sqlglot's parser; never sees
physical plans, the runtime or connectors.
"""

from tableflow.loading import entry_points_later

with entry_points_later():
    import sqlglot  # noqa: F401 - before any module here does
