"""Implementation rules and their search: a logical plan becomes the cheapest physical plan.

Takes an optimised :class:`~tableflow.planner.logical.nodes.Query` and cardinalities, gives physical nodes with
properties and estimates.  One file per family of rules; :data:`rules.RULES` lists them.
"""
