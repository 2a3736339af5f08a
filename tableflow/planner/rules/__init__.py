"""Rewrite rules, one plain function each, listed in order in :mod:`tableflow.planner.driver`.

A local rule takes ``(node, required, context)``, where ``required`` are the ids that are read above the node, and
gives an equivalent node or None when it does not apply; it may drop columns that are not required and must keep the
others.  A whole-plan rule takes ``(root, required, context)`` and gives a plan.
"""
