"""Dataclasses of ours and of the standard library, side by side."""

from __future__ import annotations

import copy
import dataclasses
import enum
import gc
import pickle
import weakref
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import records

OPTIONS: list[dict[str, bool]] = [
    {},
    {"frozen": True},
    {"slots": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "kw_only": True},
    {"frozen": True, "slots": True, "eq": False},
]


def declare(decorator: Any, options: dict[str, bool]) -> tuple[type, type]:
    """A class and one below it."""

    @decorator(**options)
    class Base:
        """The base."""

        kind: ClassVar[str] = "base"
        number: int
        text: str = "none"

    @decorator(**options)
    class Below(Base):
        items: list[int] = dataclasses.field(default_factory=list)
        note: str = dataclasses.field(default="-", compare=False)
        hidden: int = dataclasses.field(default=7, repr=False)
        later: str = dataclasses.field(init=False, default="later")

    return Base, Below


def attempt(call: Any) -> Any:
    """What it gives, or how it fails."""
    try:
        return call()
    except (TypeError, AttributeError) as failure:
        return type(failure)


def behaviour(classes: tuple[type, type]) -> list[Any]:
    base, below = classes
    one = below(number=1, items=[2], note="a")
    other = below(number=1, items=[2], note="b")
    plain = base(number=1)
    return [
        repr(one), repr(plain), one == other, one != below(number=2), plain == one, one == 1, one.later,
        below(number=1).items, below(number=1).items is below(number=1).items,
        attempt(lambda: hash(plain) == hash(base(number=1))), attempt(lambda: isinstance(hash(one), int)),
        attempt(lambda: base(1, "positional").text), attempt(base), attempt(lambda: base(number=1, other=2)),
        attempt(lambda: setattr(plain, "number", 5)), plain.number,
        attempt(lambda: delattr(base(number=1), "number")),
        repr(dataclasses.replace(one, number=9)), [field.name for field in dataclasses.fields(below)],
        dataclasses.asdict(one), repr(copy.copy(one)), repr(copy.deepcopy(one)), below.__match_args__,
        getattr(below, "__slots__", None), hasattr(plain, "__dict__"), base.__doc__,
    ]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
def test_both_decorators_declare_the_same(options: dict[str, bool]) -> None:
    assert behaviour(declare(records.dataclass, options)) == behaviour(declare(dataclasses.dataclass, options))


@records.dataclass(frozen=True, slots=True)
class Point:
    """A class that a pickle can name."""

    across: int
    up: int = 0

    def __repr__(self) -> str:
        return f"({self.across}, {self.up})"


def test_a_frozen_instance_is_pickled_and_matched() -> None:
    match pickle.loads(pickle.dumps(Point(1, up=2))):
        case Point(across, up):
            assert (across, up) == (1, 2)
    assert repr(Point(3)) == "(3, 0)"


def test_methods_of_the_class_stay() -> None:
    @records.dataclass(slots=True)
    class Counted:
        number: int
        doubled: int = dataclasses.field(init=False)

        def __post_init__(self) -> None:
            self.doubled = 2 * self.number

        def __eq__(self, other: object) -> bool:
            return other == self.number

        def __hash__(self) -> int:
            return 5

    assert Counted(4).doubled == 8
    assert Counted(4) == 4
    assert hash(Counted(4)) == 5


def test_an_instance_that_holds_itself_is_shown() -> None:
    @records.dataclass(slots=True)
    class Holder:
        held: Any = None

    holder = Holder()
    holder.held = holder
    assert repr(holder).endswith("Holder(held=...)")


@pytest.mark.parametrize("options", OPTIONS)
def test_replace(options: dict[str, bool]) -> None:
    for cls in declare(records.dataclass, options):
        one = cls(number=1, text="a")
        changed = records.replace(one, number=2)
        assert type(changed) is cls
        assert changed == dataclasses.replace(one, number=2) or not options.get("eq", True)
        assert (changed.number, changed.text, one.number) == (2, "a", 1)
        with pytest.raises(TypeError):
            records.replace(one, absent=1)
    below = declare(records.dataclass, options)[1]
    items = below(number=1, items=[3])
    assert records.replace(items, note="b").items is items.items
    with pytest.raises(TypeError):
        records.replace(items, later="never")
    with pytest.raises(TypeError):
        records.replace(1)


def test_instances_hash_as_the_tuple_of_their_values() -> None:
    @records.dataclass(frozen=True, slots=True)
    class Nested:
        point: Point
        name: str
        note: str = dataclasses.field(default="", compare=False)

    one = Nested(Point(1, 2), "a", "x")
    for _ in range(2):  # the first call writes the method
        assert hash(one) == hash((Point(1, 2), "a"))
        assert one == Nested(Point(1, 2), "a", "y")
        assert one != Nested(Point(1, 3), "a")
        assert one != (Point(1, 2), "a")


def test_arguments_that_do_not_fit_are_told_of_as_ever() -> None:
    Point(0)
    for arguments, named in [((), {}), ((1, 2, 3), {}), ((1,), {"across": 2}), ((1,), {"down": 2})]:
        with pytest.raises(TypeError, match=r"Point.__init__"):
            Point(*arguments, **named)


def test_a_class_below_that_is_no_record_is_one_of_its_own() -> None:
    class Named(Point):
        pass

    for _ in range(2):
        assert type(Named(1)) is Named
        assert Named(1) == Named(1, up=0)
        assert hash(Named(1)) == hash(Point(1))
        assert Named(1) != Point(1)


def test_what_an_instance_holds_that_fails_to_compare_or_hash_fails() -> None:
    class Broken:
        def __eq__(self, other: object) -> bool:
            raise KeyError

        def __hash__(self) -> int:
            raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            hash(Point(Broken()))  # type: ignore[arg-type]
        with pytest.raises(KeyError):
            assert Point(Broken()) == Point(Broken())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        hash(Point([]))  # type: ignore[arg-type]


def test_hashing_and_comparing_deep_nests_ends_in_an_error_or_a_result() -> None:
    inner, other = Point(0), Point(0)
    for _ in range(100_000):
        inner, other = Point(inner), Point(other)  # type: ignore[arg-type]
    with pytest.raises(RecursionError):
        hash(inner)
    with pytest.raises(RecursionError):
        assert inner == other


def test_a_class_with_an_order_of_its_own_keeps_it() -> None:
    @records.dataclass(slots=True)
    class Ordered:
        number: int

        def __lt__(self, other: Ordered) -> bool:
            return self.number < other.number

    for _ in range(3):
        assert Ordered(1) == Ordered(1)
        assert Ordered(1) < Ordered(2)
        assert not Ordered(2) < Ordered(1)


def test_what_is_compared_lives_until_then() -> None:
    @records.dataclass(slots=True)
    class Box:
        held: Any

    class Emptying:
        def __eq__(self, other: object) -> bool:
            box.held = other_box.held = None
            return True

        __hash__ = None  # type: ignore[assignment]

    assert Box(1) == Box(1)
    for _ in range(20):
        box, other_box = Box([Emptying() for _ in range(50)]), Box([Emptying() for _ in range(50)])
        assert box == other_box


def test_a_class_that_is_told_of_twice_is_known_once() -> None:
    if not records.NATIVE:
        pytest.skip("the extension module does not know classes from the inside")

    @records.dataclass(slots=True)
    class Three:
        first: Any
        second: int
        third: int

    class Telling:
        def __eq__(self, other: object) -> bool:
            fields = [records._told(Three, field) for field in dataclasses.fields(Three)]
            return bool(records._native.adopt_record(Three, fields, None, True))

        __hash__ = None  # type: ignore[assignment]

    assert Three(1, 1, 2) == Three(1, 1, 2)
    assert Three(Telling(), 1, 2) != Three(Telling(), 1, 3)
    assert records.replace(Three(1, 1, 2), third=5).third == 5


class Kind(enum.Enum):
    """A kind."""

    ONE = "one"


@records.dataclass(frozen=True, slots=True)
class Leaf:
    """Anything."""

    value: Any
    kind: Kind = Kind.ONE


@records.dataclass(frozen=True, slots=True)
class Pair:
    """Two of anything."""

    left: Any
    right: Any = None


class Canary:
    """Something that tells when it is gone."""

    def __init__(self) -> None:
        self.held: list[Any] = []


@pytest.mark.skipif(not records.NATIVE, reason="records are made by Python here")
def test_what_can_be_in_no_cycle_is_not_looked_through_for_garbage() -> None:
    assert not gc.is_tracked([Leaf(value) for value in (0, 1)][1])
    leaf = Leaf(7)
    for settled in (
        Leaf(("a", (1, 2.5))), Leaf(frozenset({1, ("b",)})), Pair(leaf, (leaf, leaf)), records.replace(leaf, value="b"),
    ):  # fmt: skip
        assert not gc.is_tracked(settled)
    for open_ended in ([], {}, set(), object, Canary(), lambda: 0, ([],), frozenset({Canary()}), bytearray):
        made = Pair(leaf, open_ended)
        static = isinstance(open_ended, type)  # a built-in class, which is nobody's garbage
        assert gc.is_tracked(made) is not static
        assert gc.is_tracked(records.replace(made, left=1)) is not static
        assert gc.is_tracked(Pair((made,))) is not static


def test_an_instance_that_may_change_is_looked_through() -> None:
    @records.dataclass(slots=True)
    class Changing:
        value: Any

    assert gc.is_tracked([Changing(value) for value in (1, 2)][1])


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=40))
def test_garbage_in_cycles_through_records_is_found(steps: list[tuple[int, int, int]]) -> None:
    """Objects of all kinds that refer to those made before; containers that can change also to those made after them."""
    made: list[Any] = [Canary()]
    canaries = [weakref.ref(made[0])]
    for kind, one, two in steps:
        left, right = made[one % len(made)], made[two % len(made)]
        match kind:
            case 0:
                made.append(Canary())
                canaries.append(weakref.ref(made[-1]))
            case 1:
                made.append(Leaf(left))
            case 2:
                made.append(Pair(left, right))
            case 3:
                made.append((left, right))
            case 4:
                made.append(records.replace(left, value=right) if isinstance(left, Leaf) else Leaf((left,)))
            case 5:
                made.append([left])
            case 6:
                made.append({})
            case 7:
                made.append(Pair(Pair(left), {"right": right}))
            case _:
                made.append(copy.copy(left) if isinstance(left, Leaf) else 7)
    for holder in made:  # and back, wherever something can change
        if isinstance(holder, Canary):
            holder.held.extend(made)
        elif isinstance(holder, list):
            holder.append(made[-1])
        elif isinstance(holder, dict):
            holder["last"] = made[-1]
    del made, holder, left, right
    gc.collect()
    assert [canary() for canary in canaries if canary() is not None] == []
