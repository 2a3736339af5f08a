"""Benchmarks beside TPC-H."""
