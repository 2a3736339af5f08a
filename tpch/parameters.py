"""Other literals for the 22 queries, by the rules of the TPC-H specification (revision 3.0.1, section 2.4, "substitution parameters").

The texts of the queries hold the validation parameters; what a rule draws takes their place.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import TypeAlias

Drawn: TypeAlias = Mapping[str, str]
"""What stands in a text, and what takes its place."""

_REGIONS = {
    "AFRICA": ("ALGERIA", "ETHIOPIA", "KENYA", "MOROCCO", "MOZAMBIQUE"),
    "AMERICA": ("ARGENTINA", "BRAZIL", "CANADA", "PERU", "UNITED STATES"),
    "ASIA": ("INDIA", "INDONESIA", "JAPAN", "CHINA", "VIETNAM"),
    "EUROPE": ("FRANCE", "GERMANY", "ROMANIA", "RUSSIA", "UNITED KINGDOM"),
    "MIDDLE EAST": ("EGYPT", "IRAN", "IRAQ", "JORDAN", "SAUDI ARABIA"),
}
_NATIONS = [nation for nations in _REGIONS.values() for nation in nations]
_SEGMENTS = ("AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD")
_KINDS = ("STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO")
_FINISHES = ("ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED")
_METALS = ("TIN", "NICKEL", "BRASS", "STEEL", "COPPER")
_CONTAINERS = [
    f"{size} {kind}"
    for size in ("SM", "LG", "MED", "JUMBO", "WRAP")
    for kind in ("CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM")
]
_MODES = ("REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB")
_COLORS = (
    "almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood burnished chartreuse chiffon chocolate coral"
    " cornflower cornsilk cream cyan dark deep dim dodger drab firebrick floral forest frosted gainsboro ghost goldenrod green grey"
    " honeydew hot indian ivory khaki lace lavender lawn lemon light lime linen magenta maroon medium metallic midnight mint misty"
    " moccasin navajo navy olive orange orchid pale papaya peach peru pink plum powder puff purple red rose rosy royal saddle salmon"
    " sandy seashell sienna sky slate smoke snow spring steel tan thistle tomato turquoise violet wheat white yellow"
)
_WORDS = (("special", "pending", "unusual", "express"), ("packages", "requests", "accounts", "deposits"))


def with_parameters(number: int, text: str, seed: int) -> str:
    """The text of query ``number`` with parameters drawn by ``seed``; :class:`ValueError` if it lacks a place for one."""
    # Seeds of neighbouring queries and runs are to have nothing in common.
    drawn = _RULES[number](random.Random(f"{number}/{seed}"))
    missing = [place for place in drawn if place not in text]
    if missing:
        raise ValueError(f"query {number} has no {missing[0]!r}")
    # All at once, so that what was put in is not taken for what stood there.
    places = re.compile("|".join(re.escape(place) for place in sorted(drawn, key=len, reverse=True)))
    return places.sub(lambda found: drawn[found[0]], text)


def _date(text: str, day: date) -> Drawn:
    return {f"DATE '{text}'": f"DATE '{day.isoformat()}'"}


def _year(dice: random.Random, text: str) -> Drawn:
    return _date(text, date(dice.randint(1993, 1997), 1, 1))


def _month(dice: random.Random, text: str, first: tuple[int, int], last: tuple[int, int]) -> Drawn:
    month = dice.randint(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1] - 1)
    return _date(text, date(month // 12, month % 12 + 1, 1))


def _brand(dice: random.Random) -> str:
    return f"Brand#{dice.randint(1, 5)}{dice.randint(1, 5)}"


def _color(dice: random.Random) -> str:
    return dice.choice(_COLORS.split())


def _nation(dice: random.Random, text: str) -> Drawn:
    return {f"'{text}'": f"'{dice.choice(_NATIONS)}'"}


def _q2(dice: random.Random) -> Drawn:
    size, metal, region = dice.randint(1, 50), dice.choice(_METALS), dice.choice(list(_REGIONS))
    return {"p_size = 15": f"p_size = {size}", "%BRASS": f"%{metal}", "EUROPE": region}


def _q3(dice: random.Random) -> Drawn:
    day = date(1995, 3, 1) + timedelta(days=dice.randrange(31))
    return {"BUILDING": dice.choice(_SEGMENTS), **_date("1995-03-15", day)}


def _q6(dice: random.Random) -> Drawn:
    middle = f"0.0{dice.randint(2, 9)}"
    return {**_year(dice, "1994-01-01"), "0.06": middle, "l_quantity < 24": f"l_quantity < {dice.randint(24, 25)}"}


def _q7(dice: random.Random) -> Drawn:
    return dict(zip(("FRANCE", "GERMANY"), dice.sample(_NATIONS, 2), strict=True))


def _q8(dice: random.Random) -> Drawn:
    region = dice.choice(list(_REGIONS))
    kind = " ".join((dice.choice(_KINDS), dice.choice(_FINISHES), dice.choice(_METALS)))
    return {"BRAZIL": dice.choice(_REGIONS[region]), "AMERICA": region, "ECONOMY ANODIZED STEEL": kind}


def _q12(dice: random.Random) -> Drawn:
    return {
        **dict(zip(("'MAIL'", "'SHIP'"), map(repr, dice.sample(_MODES, 2)), strict=True)),
        **_year(dice, "1994-01-01"),
    }


def _q13(dice: random.Random) -> Drawn:
    return {"%special%requests%": f"%{dice.choice(_WORDS[0])}%{dice.choice(_WORDS[1])}%"}


def _q16(dice: random.Random) -> Drawn:
    kind = f"{dice.choice(_KINDS)} {dice.choice(_FINISHES)}"
    sizes = ", ".join(map(str, dice.sample(range(1, 51), 8)))
    return {"Brand#45": _brand(dice), "MEDIUM POLISHED": kind, "49, 14, 23, 45, 19, 3, 36, 9": sizes}


def _q19(dice: random.Random) -> Drawn:
    drawn = {brand: _brand(dice) for brand in ("Brand#12", "Brand#23", "Brand#34")}
    for first in (1, 10, 20):
        least = dice.randint(first, 10 if first == 1 else first + 10)
        drawn |= {f"l_quantity >= {first}\n": f"l_quantity >= {least}\n", f"<= {first} + 10": f"<= {least} + 10"}
    return drawn


def _q22(dice: random.Random) -> Drawn:
    codes = ", ".join(f"'{code}'" for code in dice.sample(range(10, 35), 7))
    return {"'13', '31', '23', '29', '30', '18', '17'": codes}


_RULES: Mapping[int, Callable[[random.Random], Drawn]] = {
    1: lambda dice: {"INTERVAL '90' DAY": f"INTERVAL '{dice.randint(60, 120)}' DAY"},
    2: _q2,
    3: _q3,
    4: lambda dice: _month(dice, "1993-07-01", (1993, 1), (1997, 10)),
    5: lambda dice: {"'ASIA'": f"'{dice.choice(list(_REGIONS))}'", **_year(dice, "1994-01-01")},
    6: _q6,
    7: _q7,
    8: _q8,
    9: lambda dice: {"%green%": f"%{_color(dice)}%"},
    10: lambda dice: _month(dice, "1993-10-01", (1993, 2), (1995, 1)),
    11: lambda dice: _nation(dice, "GERMANY"),
    12: _q12,
    13: _q13,
    14: lambda dice: _month(dice, "1995-09-01", (1993, 1), (1997, 12)),
    15: lambda dice: _month(dice, "1996-01-01", (1993, 1), (1997, 10)),
    16: _q16,
    17: lambda dice: {"Brand#23": _brand(dice), "MED BOX": dice.choice(_CONTAINERS)},
    18: lambda dice: {"> 300": f"> {dice.randint(312, 315)}"},
    19: _q19,
    20: lambda dice: {"forest%": f"{_color(dice)}%", **_year(dice, "1994-01-01"), **_nation(dice, "CANADA")},
    21: lambda dice: _nation(dice, "SAUDI ARABIA"),
    22: _q22,
}
