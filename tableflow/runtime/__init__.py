"""Runs job graphs: tasks over channels, control events, published builds, memory, counters.

Takes a :class:`~tableflow.runtime.graph.JobGraph` and functions that build its operators and sources; gives batches.
May import the catalog, expressions and columnar layers and below, never SQL, plans or connectors.
"""
