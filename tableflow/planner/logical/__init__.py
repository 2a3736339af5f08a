"""The logical algebra: nodes, their traversal, derived facts and their text.

Owns what a query means.  May import expressions and catalog; nothing here knows rules, costs or physical operators.
"""
