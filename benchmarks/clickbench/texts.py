"""Texts that follow from numbers: pages, their titles, where visitors came from, what they searched for.

Words are made of syllables, half of them Cyrillic, so that characters and bytes differ as they do in the original.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.clickbench.draws import Numbers, part, picked, share

_LATIN = ("ka", "ro", "mi", "te", "lu", "so", "ne", "vi", "da", "po", "ger", "stan", "bel", "tor", "ish", "en")
_CYRILLIC = ("ка", "ро", "ми", "те", "лу", "со", "не", "ви", "да", "по", "гор", "стан", "бел", "тор", "ский", "ен")
_ZONES = (".ru", ".com", ".ru", ".ua", ".net", ".kz", ".ru", ".org")
SITES = 8_000
"""Sites in all: the first few thousand are counted, visitors come from any."""


def _words(syllables: tuple[str, ...], count: int) -> list[str]:
    """Different words of two to four syllables."""
    words = []
    for number in range(count):
        rest, letters = number, syllables[number % 16] + syllables[number // 16 % 16]
        while (rest := rest // 256) > 0:
            letters += syllables[rest % 16]
        words.append(letters)
    return words


LATIN = pa.array(_words(_LATIN, 4096))
CYRILLIC = pa.array(_words(_CYRILLIC, 4096))
HOSTS = pa.array(
    [f"{word}{number % 90 or ''}{_ZONES[number % 8]}" for number, word in enumerate(_words(_LATIN, SITES))]
)


def _joined(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _or_empty(kept: Numbers, texts: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(kept), texts, "")


def _digits(numbers: Numbers) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def urls(pages: Numbers, sites: Numbers) -> pa.Array:
    """Addresses of pages on sites; page 0 of a site, whose number is below 2**40, is its front page."""
    host = picked(HOSTS, sites)
    path = _joined("/", picked(LATIN, part(pages, 1, 300)), "/", picked(LATIN, part(pages, 2, 4096)))
    query = _joined("?", picked(["id", "page", "art", "lot"], part(pages, 3, 4)), "=", _digits(part(pages, 4, 10**9)))
    more = _joined("&", picked(LATIN, part(pages, 5, 200)), "=", picked(LATIN, part(pages, 6, 4096)), "#", path)
    address = _joined(path, _or_empty(share(pages, 7, 0.7), query), _or_empty(share(pages, 8, 0.35), more))
    address = pc.if_else(pa.array(share(pages, 9, 0.0015)), _joined(address, "&from=google"), address)
    address = pc.if_else(pa.array(share(pages, 10, 0.0007)), _joined("/http://maps.google.com", path), address)
    return _joined("http://", host, pc.if_else(pa.array(pages % 2**40 == 0), "/", address))


def titles(pages: Numbers, sites: Numbers) -> pa.Array:
    """One title a page; every tenth has none."""
    words: list[Any] = [picked(CYRILLIC, part(pages, 20 + place, 4096 >> place)) for place in range(6)]
    spaced = pc.binary_join_element_wise(*words[:3], " ")
    longer = pc.binary_join_element_wise(spaced, *words[3:], " ")
    text = pc.if_else(pa.array(share(pages, 30, 0.6)), longer, spaced)
    text = _joined(text, pc.if_else(pa.array(share(pages, 31, 0.002)), " - Google ", " - "), picked(HOSTS, sites))
    return _or_empty(~share(pages, 32, 0.1), text)


def referers(ranks: Numbers) -> pa.Array:
    """Addresses by rank; the first are front pages of large sites."""
    sites = np.where(ranks < 64, ranks, part(ranks, 40, 96) * part(ranks, 41, SITES) // 96)
    start = _joined(
        picked(["http://", "https://"], part(ranks, 42, 8) // 7),
        picked(["", "www."], part(sites, 43, 2)),
        picked(HOSTS, sites),
    )
    path = _joined(
        picked(LATIN, part(ranks, 44, 500)), "/", picked(LATIN, part(ranks, 45, 4096)), "?q=", _digits(ranks)
    )
    path = pc.if_else(
        pa.array(share(ranks, 46, 0.3)), _joined(path, "&text=", picked(CYRILLIC, part(ranks, 47, 4096))), path
    )
    return _joined(start, "/", _or_empty(ranks >= 64, path))


def phrases(ranks: Numbers) -> pa.Array:
    """What was searched for: one to five words."""
    words: list[Any] = [picked(CYRILLIC, part(ranks, 50 + place, 4096)) for place in range(3)]
    words += [picked(LATIN, part(ranks, 53 + place, 1024)) for place in range(2)]
    length = part(ranks, 60, 5) + 1
    kept = [words[0], *(_or_empty(length > place, _joined(" ", words[place])) for place in range(1, 5))]
    return _joined(*kept)
