"""Rows that are made up: random values or sequences, in the types that a table declares."""
