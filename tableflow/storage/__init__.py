"""Durable state: managed tables with versions, the log of commits, the writer's lease.

Owns the directory of a database and everything in it.  Takes columns and catalog entries, gives immutable states that
readers pin without locks.  May use catalog, columnar, serialization, types, errors; knows neither SQL nor the runtime.
``docs/storage.md`` is the design.
"""
