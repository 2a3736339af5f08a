"""Managed tables: the database's own, read and written through the protocols of any connector.

Takes states of :mod:`tableflow.storage`, gives providers, sources and sink writers; the objects that a plan refers to by
key live in the session's :class:`~tableflow.connectors.connector.ObjectStore`.
"""
