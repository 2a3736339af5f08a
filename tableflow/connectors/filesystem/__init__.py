"""Files as tables: Parquet, CSV, JSON, Arrow and ORC, in one file, a directory or a glob.

:mod:`connector` declares the options and makes providers, :mod:`table` is the provider, :mod:`source` hands out splits;
each format is one module that implements :class:`~tableflow.connectors.filesystem.format.Format`.
"""
