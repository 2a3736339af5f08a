"""Columns that no query tells apart from one another: what each may hold and how often, the most frequent first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from benchmarks.clickbench.draws import Numbers, chosen

CHOICES: Mapping[str, tuple[Sequence[int], Sequence[float]]] = {
    "JavaEnable": ((1, 0), (0.35,)),
    "GoodEvent": ((1,), ()),
    "CounterClass": ((0, -1, 1), (0.1, 0.05)),
    "RefererCategoryID": ((0, 9000, 9911, 10, 16000), (0.1, 0.05, 0.05, 0.04)),
    "URLCategoryID": ((0, 9911, 9001, 14, 15002), (0.2, 0.1, 0.05, 0.04)),
    "ResolutionDepth": ((24, 32, 16), (0.3, 0.02)),
    "FlashMajor": ((11, 0, 10), (0.2, 0.1)),
    "FlashMinor": ((7, 0, 8, 6), (0.3, 0.1, 0.1)),
    "NetMajor": ((0, 3, 4, 2), (0.2, 0.1, 0.1)),
    "NetMinor": ((0, 5, 1), (0.2, 0.05)),
    "CookieEnable": ((1, 0), (0.01,)),
    "JavascriptEnable": ((1, 0), (0.02,)),
    "IsArtifical": ((0, 1), (0.01,)),
    "ClientTimeZone": ((240, 120, 180, 300, -1), (0.15, 0.1, 0.1, 0.02)),
    "SilverlightVersion1": ((0, 5, 4), (0.4, 0.05)),
    "SilverlightVersion2": ((0, 1), (0.35,)),
    "SilverlightVersion3": ((0, 50428, 20125, 10411), (0.2, 0.15, 0.05)),
    "SilverlightVersion4": ((0,), ()),
    "CodeVersion": ((1601, 291, 1615, 0), (0.2, 0.1, 0.05)),
    "IsNotBounce": ((0, 1), (0.45,)),
    "IsOldCounter": ((0, 1), (0.02,)),
    "IsEvent": ((0, 1), (0.08,)),
    "IsParameter": ((0, 1), (0.03,)),
    "WithHash": ((0, 1), (0.05,)),
    "Age": ((0, 31, 22, 39, 50, 13), (0.1, 0.1, 0.08, 0.05, 0.02)),
    "Sex": ((0, 1, 2), (0.25, 0.2)),
    "Income": ((0, 2, 1, 3), (0.2, 0.1, 0.05)),
    "Robotness": ((0, 15, 31), (0.02, 0.01)),
    "HTTPError": ((0, 404, 500), (0.004, 0.001)),
    "SocialSourceNetworkID": ((0, 1, 2), (0.01, 0.005)),
    "ParamCurrencyID": ((0, 643, 840), (0.01, 0.002)),
    "HasGCLID": ((0, 1), (0.005,)),
    "CLID": ((0, 1955450, 2163430), (0.02, 0.01)),
}
"""What is left of 1 goes to the first value."""

TEXTS: Mapping[str, tuple[Sequence[str], Sequence[float]]] = {
    "FlashMinor2": (("700", "202", "", "224", "r9"), (0.2, 0.1, 0.1, 0.05)),
    "UserAgentMinor": (("D", "D5", "1.0", "x9", ""), (0.3, 0.1, 0.1, 0.1)),
    "Params": (("", "ref=main", '{"tab": "news"}'), (0.01, 0.005)),
    "PageCharset": (("utf-8", "windows-1251", "windows"), (0.3, 0.1)),
    "HitColor": (("5", "E", "T", "g", "M"), (0.2, 0.05, 0.01, 0.005)),
    "BrowserLanguage": (("ru", "en", "uk", "tr"), (0.1, 0.05, 0.01)),
    "BrowserCountry": (("RU", "UA", "US", "KZ", "xx"), (0.1, 0.1, 0.05, 0.02)),
    "SocialNetwork": (("", "vkontakte", "facebook"), (0.003, 0.001)),
    "SocialAction": (("", "like", "share"), (0.003, 0.001)),
    "SocialSourcePage": (("", "http://social.example/wall"), (0.002,)),
    "ParamOrderID": (("", "N-1", "N-2"), (0.002, 0.001)),
    "ParamCurrency": (("", "RUB", "USD"), (0.01, 0.002)),
    "OpenstatServiceName": (("", "market.example", "direct.example"), (0.01, 0.01)),
    "OpenstatCampaignID": (("", "740531", "312"), (0.01, 0.01)),
    "OpenstatAdID": (("", "9924", "11"), (0.01, 0.01)),
    "OpenstatSourceID": (("", "search", "context"), (0.01, 0.01)),
    "UTMSource": (("", "mail", "banner", "partner"), (0.02, 0.01, 0.01)),
    "UTMMedium": (("", "cpc", "email"), (0.02, 0.01)),
    "UTMCampaign": (("", "summer", "sale13"), (0.02, 0.01)),
    "UTMContent": (("", "left", "top"), (0.01, 0.01)),
    "UTMTerm": (("", "tickets", "flats"), (0.01, 0.005)),
    "FromTag": (("", "tag1", "tag2"), (0.005, 0.002)),
}

RANGES: Mapping[str, tuple[int, int, float]] = {
    "RefererRegionID": (0, 400, 0.6), "URLRegionID": (0, 400, 0.5), "Interests": (0, 32_000, 0.5),
    "HID": (0, 2**30, 0.0), "WindowName": (-2**31, 2**31 - 1, 0.3), "OpenerName": (-2**31, 2**31 - 1, 0.6),
    "HistoryLength": (1, 50, 0.1), "SendTiming": (0, 500, 0.6), "DNSTiming": (0, 400, 0.7), "ConnectTiming": (0, 900, 0.6),
    "ResponseStartTiming": (0, 3_000, 0.4), "ResponseEndTiming": (0, 6_000, 0.4), "FetchTiming": (0, 20_000, 0.4),
    "ParamPrice": (0, 10**7, 0.99),
}  # fmt: skip
"""From, below, and the part of rows that hold a zero instead."""


def filled(draw: np.random.Generator, count: int) -> dict[str, Numbers | pa.Array]:
    """All these columns for some rows."""
    columns: dict[str, Numbers | pa.Array] = {
        name: chosen(draw, count, values, weights) for name, (values, weights) in CHOICES.items()
    }
    for name, (texts, weights) in TEXTS.items():
        places = chosen(draw, count, range(len(texts)), weights)
        columns[name] = pa.DictionaryArray.from_arrays(
            pa.array(places, pa.int32()), pa.array(texts)
        ).dictionary_decode()
    for name, (low, high, zeros) in RANGES.items():
        columns[name] = np.where(draw.random(count) < zeros, 0, draw.integers(low, high, count))
    return columns
