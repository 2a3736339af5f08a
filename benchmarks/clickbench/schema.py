"""The public schema of ``hits``: 105 columns, none of them NULL, an empty text or a zero where nothing is known."""

from __future__ import annotations

import pyarrow as pa

_TYPES = {
    "small": pa.int16(),
    "int": pa.int32(),
    "big": pa.int64(),
    "text": pa.string(),
    "time": pa.timestamp("us"),
    "date": pa.date32(),
}

_COLUMNS = """
WatchID big; JavaEnable small; Title text; GoodEvent small; EventTime time; EventDate date; CounterID int; ClientIP int;
RegionID int; UserID big; CounterClass small; OS small; UserAgent small; URL text; Referer text; IsRefresh small;
RefererCategoryID small; RefererRegionID int; URLCategoryID small; URLRegionID int; ResolutionWidth small;
ResolutionHeight small; ResolutionDepth small; FlashMajor small; FlashMinor small; FlashMinor2 text; NetMajor small;
NetMinor small; UserAgentMajor small; UserAgentMinor text; CookieEnable small; JavascriptEnable small; IsMobile small;
MobilePhone small; MobilePhoneModel text; Params text; IPNetworkID int; TraficSourceID small; SearchEngineID small;
SearchPhrase text; AdvEngineID small; IsArtifical small; WindowClientWidth small; WindowClientHeight small;
ClientTimeZone small; ClientEventTime time; SilverlightVersion1 small; SilverlightVersion2 small;
SilverlightVersion3 int; SilverlightVersion4 small; PageCharset text; CodeVersion int; IsLink small; IsDownload small;
IsNotBounce small; FUniqID big; OriginalURL text; HID int; IsOldCounter small; IsEvent small; IsParameter small;
DontCountHits small; WithHash small; HitColor text; LocalEventTime time; Age small; Sex small; Income small;
Interests small; Robotness small; RemoteIP int; WindowName int; OpenerName int; HistoryLength small;
BrowserLanguage text; BrowserCountry text; SocialNetwork text; SocialAction text; HTTPError small; SendTiming int;
DNSTiming int; ConnectTiming int; ResponseStartTiming int; ResponseEndTiming int; FetchTiming int;
SocialSourceNetworkID small; SocialSourcePage text; ParamPrice big; ParamOrderID text; ParamCurrency text;
ParamCurrencyID small; OpenstatServiceName text; OpenstatCampaignID text; OpenstatAdID text; OpenstatSourceID text;
UTMSource text; UTMMedium text; UTMCampaign text; UTMContent text; UTMTerm text; FromTag text; HasGCLID small;
RefererHash big; URLHash big; CLID int
"""

HITS = pa.schema(
    [
        pa.field(name, _TYPES[kind], nullable=False)
        for name, kind in (column.split() for column in _COLUMNS.replace("\n", " ").split(";"))
    ]
)
