"""The columns of persons, auctions and bids as functions of event numbers.

Of 50 events the first is a person, the next three are auctions, the others bids.  Half of the bids go to the first of the latest
hundred auctions and three of four come from the second of the latest hundred persons, so keys are as skewed as in life.
Each column is computed on its own, so a scan pays for those it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from tableflow.connectors.draws import Draws, Events, Integers
from tableflow.connectors.nexmark.texts import HOT_CHANNELS, OTHER_CHANNELS, POOL, Texts, cut, texts_of
from tableflow.records import dataclass
from tableflow.types import BIGINT, INT, STRING, RowField, RowType, SqlType, TimestampType

CYCLE = 50
AUCTIONS = 3
FIRST_ID = 1000
FIRST_CATEGORY = 10
_ACTIVE_PERSONS = 1000
_AHEAD = 10
_MILLISECONDS = TimestampType(3)

Columns = Mapping[str, SqlType]

PERSON: Columns = {
    "id": BIGINT, "name": STRING, "emailAddress": STRING, "creditCard": STRING, "city": STRING, "state": STRING,
    "dateTime": _MILLISECONDS, "extra": STRING,
}  # fmt: skip
AUCTION: Columns = {
    "id": BIGINT, "itemName": STRING, "description": STRING, "initialBid": BIGINT, "reserve": BIGINT,
    "dateTime": _MILLISECONDS, "expires": _MILLISECONDS, "seller": BIGINT, "category": BIGINT, "extra": STRING,
}  # fmt: skip
BID: Columns = {
    "auction": BIGINT, "bidder": BIGINT, "price": BIGINT, "channel": STRING, "url": STRING, "dateTime": _MILLISECONDS,
    "extra": STRING,
}  # fmt: skip
KINDS: Mapping[str, Columns] = {"person": PERSON, "auction": AUCTION, "bid": BID}


def _row(columns: Columns) -> RowType:
    return RowType(tuple(RowField(name, of) for name, of in columns.items()))


EVENTS: Columns = {
    "event_type": INT, "person": _row(PERSON), "auction": _row(AUCTION), "bid": _row(BID), "dateTime": _MILLISECONDS,
}  # fmt: skip
"""All kinds in one table, as nested columns; those of other kinds are NULL."""

TABLES: Mapping[str, Columns] = {**KINDS, "events": EVENTS}


@dataclass(frozen=True, slots=True)
class Rate:
    """When events happen: event number e at ``base`` (ms since 1970) + e / ``per_second``."""

    per_second: int
    base: int

    def milliseconds(self, events: Events) -> Integers:
        """Event times."""
        return self.base + (events.astype(np.int64) * 1000) // self.per_second


class Generator:
    """Makes columns of events under one seed."""

    def __init__(self, seed: int, rate: Rate) -> None:
        self._rate = rate
        self._draws = Draws(seed)
        self._below = self._draws.below
        self._texts = Texts(self._draws)
        self._columns: Mapping[str, Mapping[str, Callable[[Events], pa.Array]]] = {
            "person": {
                "id": lambda e: pa.array(_cycle(e) + FIRST_ID),
                "name": lambda e: _one_of(self._texts.names, self._name(e)),
                "emailAddress": self._email,
                "creditCard": self._card,
                "city": lambda e: _one_of(self._texts.cities, self._below(e, 10, 10)),
                "state": lambda e: _one_of(self._texts.states, self._below(e, 11, 6)),
                "dateTime": self._time,
                "extra": self._person_extra,
            },
            "auction": {
                "id": lambda e: pa.array(_cycle(e) * AUCTIONS + (e % np.uint64(CYCLE)).astype(np.int64) - 1 + FIRST_ID),
                "itemName": lambda e: cut(self._texts.spaced, self._below(e, 8, POOL - 64), self._item_length(e)),
                "description": lambda e: cut(
                    self._texts.spaced, self._below(e, 9, POOL - 128), self._description_length(e)
                ),
                "initialBid": lambda e: pa.array(self._draws.price(e, 4)),
                "reserve": lambda e: pa.array(self._draws.price(e, 4) + self._draws.price(e, 10)),
                "dateTime": self._time,
                "expires": self._expires,
                "seller": lambda e: pa.array(self._hot_person(e, 0, 1, 2)),
                "category": lambda e: pa.array(FIRST_CATEGORY + self._below(e, 3, 5)),
                "extra": self._auction_extra,
            },
            "bid": {
                "auction": self._auction,
                "bidder": lambda e: pa.array(self._hot_person(e, 1, 3, 4)),
                "price": lambda e: pa.array(self._draws.price(e, 5)),
                "channel": lambda e: _one_of(self._texts.channels, self._channel(e)),
                "url": lambda e: _one_of(self._texts.urls, self._channel(e)),
                "dateTime": self._time,
                "extra": lambda e: cut(
                    self._texts.letters, self._below(e, 10, POOL - 1024), 54 + self._below(e, 9, 28)
                ),
            },
        }

    def column(self, table: str, name: str, events: Events) -> pa.Array:
        """A column of these events, which are all of the table's kind."""
        if table != "events":
            return self._columns[table][name](events)
        if name == "dateTime":
            return self._time(events)
        kinds = kind_of(events)
        if name == "event_type":
            return pa.array(kinds.astype(np.int32))
        mask = kinds == list(KINDS).index(name)
        own = events[mask]
        rows = pa.StructArray.from_arrays(
            [_plain(column(own)) for column in self._columns[name].values()], names=list(KINDS[name])
        )
        return rows.take(pa.array(np.cumsum(mask) - 1, mask=~mask))

    def _time(self, events: Events) -> pa.Array:
        return pa.array(self._rate.milliseconds(events) * 1000).cast(pa.timestamp("us"))

    def _hot_person(self, events: Events, place: int, salt: int, other_salt: int) -> Integers:
        """Three of four times the person at ``place`` of the latest hundred, else one of the latest thousand or soon to come."""
        last = _cycle(events)
        people = last + 1
        active = np.minimum(people, _ACTIVE_PERSONS)
        anyone = people - active + self._below(events, other_salt, active + _AHEAD)
        return np.where(self._below(events, salt, 4) > 0, last // 100 * 100 + place, anyone) + FIRST_ID

    def _auction(self, events: Events) -> pa.Array:
        last = _cycle(events) * AUCTIONS + AUCTIONS - 1
        low = np.maximum(last - 100, 0)
        anyone = low + self._below(events, 2, last - low + _AHEAD + 1)
        return pa.array(np.where(self._below(events, 1, 2) > 0, last // 100 * 100, anyone) + FIRST_ID)

    def _channel(self, events: Events) -> Integers:
        hot = len(HOT_CHANNELS)
        other = hot + self._below(events, 8, OTHER_CHANNELS)
        return np.where(self._below(events, 6, 2) > 0, self._below(events, 7, hot), other)

    def _name(self, events: Events) -> Integers:
        return self._below(events, 1, 11) * 9 + self._below(events, 2, 9)

    def _email(self, events: Events) -> pa.Array:
        name, length = self._email_lengths(events)
        ends = np.cumsum(length)
        letters = cut(self._texts.letters, self._below(events, 5, POOL - 64), length)
        data = np.frombuffer(letters.buffers()[2], dtype=np.uint8).copy()
        data[ends - length + name] = ord("@")
        for place, character in enumerate(b".com"):
            data[ends - 4 + place] = character
        return texts_of(data, length)

    def _email_lengths(self, events: Events) -> tuple[Integers, Integers]:
        """Of the part before the @, and of the whole."""
        name = 3 + self._below(events, 3, 4)
        return name, name + 3 + self._below(events, 4, 2) + 5

    def _card(self, events: Events) -> pa.Array:
        card = np.full((len(events), 19), ord(" "), dtype=np.uint8)
        for group in range(4):
            value = self._below(events, 6 + group, 10_000)
            for digit in range(4):
                card[:, 5 * group + digit] = ord("0") + value // 10 ** (3 - digit) % 10
        return texts_of(card.reshape(-1), np.full(len(events), 19))

    def _person_extra(self, events: Events) -> pa.Array:
        name = self._texts.name_lengths[self._name(events)]
        city = self._texts.city_lengths[self._below(events, 10, 10)]
        return self._padding(events, 200 - (8 + name + self._email_lengths(events)[1] + 19 + city + 2), 12)

    def _item_length(self, events: Events) -> Integers:
        return 3 + self._below(events, 6, 17)

    def _description_length(self, events: Events) -> Integers:
        return 3 + self._below(events, 7, 97)

    def _auction_extra(self, events: Events) -> pa.Array:
        used = 8 + self._item_length(events) + self._description_length(events) + 40
        return self._padding(events, 500 - used, 11)

    def _padding(self, events: Events, wanted: Integers, salt: int) -> pa.Array:
        """Letters, up to a fifth more or fewer than wanted; the next salt says from where."""
        spread = (wanted * 2 + 5) // 10
        lengths = wanted - spread + self._below(events, salt, 2 * spread)
        return cut(self._texts.letters, self._below(events, salt + 1, POOL - 1024), lengths)

    def _expires(self, events: Events) -> pa.Array:
        """After as long, on average, as a hundred auctions take to arrive."""
        now = self._rate.milliseconds(events)
        horizon = self._rate.milliseconds(events + np.uint64(100 * CYCLE // AUCTIONS)) - now
        ends = now + 1 + self._below(events, 5, np.maximum(2 * horizon, 1))
        return pa.array(ends * 1000).cast(pa.timestamp("us"))


def _cycle(events: Events) -> Integers:
    return (events // np.uint64(CYCLE)).astype(np.int64)


def _one_of(texts: pa.StringArray, places: Integers) -> pa.DictionaryArray:
    """Texts of a list, as places in it."""
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), texts)


def _plain(texts: pa.Array) -> pa.Array:
    """A column as it is inside of rows."""
    return texts.dictionary_decode() if isinstance(texts, pa.DictionaryArray) else texts


def kind_of(events: Events) -> Integers:
    """0 for persons, 1 for auctions, 2 for bids."""
    place = (events % np.uint64(CYCLE)).astype(np.int64)
    return np.where(place == 0, 0, np.where(place <= AUCTIONS, 1, 2))


def events_of(table: str, events: Events) -> Events:
    """Those of the events that are rows of this table, in their order."""
    return events if table == "events" else events[kind_of(events) == list(KINDS).index(table)]
