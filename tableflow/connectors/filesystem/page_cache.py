"""Decompressed pages of Parquet files are kept for the next query: in one cache for the process, as files are everybody's.

It is no part of a query's memory, so it has a limit of its own, and a query that may use little leaves it little.
"""

from __future__ import annotations

from collections import Counter

from tableflow.columnar._native import PageCache
from tableflow.config import MEMORY_LIMIT, PAGE_CACHE, Settings

SETTLED_NS = 3_000_000_000
"""Pages of a file that was changed since are not kept: clocks of file systems tick as slowly as every two seconds (FAT), and what is written
within a tick looks like the version before."""
_OF_LIMIT = 8

_cache = PageCache(PAGE_CACHE.default, SETTLED_NS)


def page_cache() -> PageCache:
    """The cache of the process."""
    return _cache


def count_pages(pages: tuple[int, int], counts: Counter[str]) -> None:
    """Adds what a native reader says of its pages: how many it decompressed, and how many it found in the cache."""
    decompressed, cached = pages
    if decompressed:
        counts["pages_decompressed"] += decompressed
    if cached:
        counts["pages_cached"] += cached


def resize_page_cache(settings: Settings) -> None:
    """Gives the cache the size that the statement which reads now asks for: ``scan.page-cache``, at most an eighth of ``memory.limit``."""
    capacity = min(settings.get(PAGE_CACHE), settings.get(MEMORY_LIMIT) // _OF_LIMIT)
    if capacity != _cache.capacity:
        _cache.resize(capacity)
