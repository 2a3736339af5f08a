"""Nexmark: 23 queries over the events of an online auction house, as streams and over finished data."""
