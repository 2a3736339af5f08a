"""Bound, typed expressions: the nodes, the function registry, evaluation, folding and interval analysis.

The binder builds them through ``registry``, rules ask ``properties``, ``intervals`` and ``fold``, operators that are not fused
call ``evaluation``.  May import ``columnar``, ``serialization``, ``types`` and ``errors``; knows no plan and no SQL text.
"""
