"""Owns the table protocol, entries and versions; no SQL, no I/O but its own store."""
