"""Dataclasses that cost little until they are used.

The standard decorator writes and compiles up to six methods of a class when its module is loaded: half a millisecond for
each class, and most classes are never used by one process.  :func:`dataclass` declares the same class, with the standard
``fields``, ``replace``, slots and patterns, and compiles ``__init__``, ``__eq__`` and ``__hash__`` when each is first called.

Once a method was called, instances of a class with slots are made, compared, hashed and replaced by the extension module
(``native/records.cc``), where that is built for one version of Python: planning one query makes thousands of them.

Invariant: an instance behaves as one of the standard decorator with the same options does.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from tableflow.columnar import _native
except ImportError as error:
    raise ImportError(
        "TableFlow's native core, tableflow.columnar._native, is not there or cannot be loaded: this Python runs from sources that"
        " were not built, or from a build for another Python. Install the package (pip install . needs g++ 11 or later; it takes"
        " some minutes), or run `make native` in a checkout.",
        name="tableflow.columnar._native",
    ) from error

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - checkers see the standard one: it means the same

_ABSENT = object()
"""The default of a parameter whose value a factory makes, or which is left as it is."""

Record = TypeVar("Record")
_REPLACING: dict[type, Callable[..., Any]] = {}


_ADOPTED: dict[type, bool] = {}
"""Classes that the extension module was told of, and whether it understands them."""


def replace(of: Record, /, **changes: Any) -> Record:
    """As :func:`dataclasses.replace`, by a function that is written for each class when it is first called."""
    cls = of.__class__
    replacing = _REPLACING.get(cls)
    if replacing is None:
        replacing = _REPLACING[cls] = _replacing(cls)
    made: Record = replacing(of, **changes)
    return made


NATIVE = hasattr(_native, "adopt_record")
"""Whether the extension module is built for one version of Python, so that it knows classes from the inside."""

if NATIVE and not TYPE_CHECKING:
    replace = _native.replacing(replace)


def _declared(cls: type, *, frozen: bool, slots: bool, eq: bool, kw_only: bool) -> Any:
    """The class with its fields, and methods that are written when they are first called."""
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # where there is none, the standard would write the signature, at a cost
    own = set(vars(cls))
    hashed = "__hash__" in own and not (cls.__hash__ is None and "__eq__" in own)
    declared: Any = _with_fields(cls, slots=slots, kw_only=kw_only)
    _write_later(declared, "__init__", own, lambda made: _init(made, frozen=frozen, slots=slots))
    if "__repr__" not in own:
        declared.__repr__ = _repr
    if eq:
        _write_later(declared, "__eq__", own, _eq)
        if not hashed:
            if frozen:
                _write_later(declared, "__hash__", set(), _hash)
            else:
                declared.__hash__ = None
    if frozen:
        declared.__setattr__ = _refuse_assignment
        declared.__delattr__ = _refuse_deletion
        if slots and "__getstate__" not in own:  # copying and pickling must not go through __setattr__
            declared.__getstate__ = _state
            declared.__setstate__ = _set_state
    return declared


_MARKS = ("ClassVar", "InitVar", "KW_ONLY")
"""What is in the text of an annotation that may be no field's type."""


def _with_fields(cls: type, *, slots: bool, kw_only: bool) -> Any:
    """The class as the standard declares it, without methods; it is spared looking thrice into each annotation's text."""
    written: dict[str, Any] = vars(cls).get("__annotations__", {})
    texts = {
        name: text
        for name, text in written.items()
        if isinstance(text, str) and not any(mark in text for mark in _MARKS)
    }
    cls.__annotations__ = {name: None if name in texts else text for name, text in written.items()}
    declared: Any = dataclasses.dataclass(cls, init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
    declared.__annotations__ = written
    for name, text in texts.items():
        declared.__dataclass_fields__[name].type = text
    return declared


if not TYPE_CHECKING:

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True, kw_only: bool = False
    ) -> Any:
        """As :func:`dataclasses.dataclass`, with the options that are used here."""

        def declare(cls: type) -> Any:
            return _declared(cls, frozen=frozen, slots=slots, eq=eq, kw_only=kw_only)

        return declare if cls is None else declare(cls)


def _write_later(cls: type, name: str, own: set[str], write: Callable[[type], Callable[..., Any]]) -> None:
    """Gives the class a method that writes itself; threads that meet here write the same."""
    if name in own:
        return

    def first_call(self: Any, *args: Any, **named: Any) -> Any:
        method = write(cls)
        method.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, method)
        if _is_adopted(cls) and not (name == "__eq__" and _orders(cls)):
            _native.take_over(cls, name)
            if name == "__init__":  # the first of its class, which many later ones may hold
                method(self, *args, **named)
                return _native.settle(self)
        return method(self, *args, **named)

    setattr(cls, name, first_call)


def _orders(cls: type) -> bool:
    """Whether a class compares by more than equality, which one place in its type stands for."""
    return any(
        getattr(cls, name) is not getattr(object, name) for name in ("__lt__", "__le__", "__gt__", "__ge__", "__ne__")
    )


def _is_adopted(cls: type) -> bool:
    """Whether the extension module knows where the fields of an instance lie."""
    known = _ADOPTED.get(cls, None if NATIVE else False)
    if known is None:
        fields = [_told(cls, field) for field in dataclasses.fields(cls)]
        frozen = vars(cls).get("__setattr__") is _refuse_assignment
        known = _ADOPTED[cls] = _native.adopt_record(cls, fields, getattr(cls, "__post_init__", None), frozen)
    return known


def _told(cls: type, field: dataclasses.Field[Any]) -> tuple[Any, ...]:
    """What the extension module has to know of a field, see there."""
    otherwise, value = "missing" if field.init else "unset", None
    if field.default_factory is not dataclasses.MISSING:
        otherwise, value = "factory", field.default_factory
    elif field.default is not dataclasses.MISSING:
        otherwise, value = "value", field.default
    hashed = field.compare if field.hash is None else field.hash
    positional = field.init and not field.kw_only
    slot = getattr(cls, field.name, None)
    return field.name, slot, field.init, positional, field.compare, hashed, otherwise, value


def _init(cls: type, *, frozen: bool, slots: bool) -> Callable[..., Any]:
    known: dict[str, Any] = {"_ABSENT": _ABSENT, "_assign": object.__setattr__}
    positional, body = ["self"], []
    keyword: list[str] = []
    for field in dataclasses.fields(cls):
        name, value = field.name, field.name
        parameter = name
        if field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            parameter = f"{name}=_ABSENT"
            value = f"_make_{name}() if {name} is _ABSENT else {name}" if field.init else f"_make_{name}()"
        elif field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
            if not field.init:
                if not slots:
                    continue  # the class's attribute says it
                value = f"_default_{name}"
        elif not field.init:
            continue
        if field.init:
            (keyword if field.kw_only else positional).append(parameter)
        body.append(_assignment(cls, name, value, known, frozen=frozen))
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = [*positional, *(["*", *keyword] if keyword else [])]
    return _compiled("__init__", parameters, body or ["pass"], known)


def _assignment(cls: type, name: str, value: str, known: dict[str, Any], *, frozen: bool) -> str:
    if not frozen:
        return f"self.{name} = {value}"
    member = getattr(cls, name, None)
    if isinstance(member, MemberDescriptorType):  # of a slot; shorter than the way by name
        known[f"_set_{name}"] = member.__set__
        return f"_set_{name}(self, {value})"
    return f"_assign(self, {name!r}, {value})"


def _eq(cls: type) -> Callable[..., Any]:
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    mine, others = _tuple("self", names), _tuple("other", names)
    body = ["if other.__class__ is self.__class__:", f"    return {mine} == {others}", "return NotImplemented"]
    return _compiled("__eq__", ["self", "other"], body, {})


def _hash(cls: type) -> Callable[..., Any]:
    fields = dataclasses.fields(cls)
    names = [field.name for field in fields if (field.compare if field.hash is None else field.hash)]
    return _compiled("__hash__", ["self"], [f"return hash({_tuple('self', names)})"], {})


def _replacing(cls: type) -> Callable[..., Any]:
    """A constructor that takes from an instance what it is not given."""
    if not dataclasses.is_dataclass(cls):
        raise TypeError("replace() should be called on dataclass instances")
    fields = [field for field in dataclasses.fields(cls) if field.init]
    names = [field.name for field in fields]
    given = [
        (f"{field.name}=" if field.kw_only else "") + f"_of.{field.name} if {field.name} is _ABSENT else {field.name}"
        for field in sorted(fields, key=lambda field: bool(field.kw_only))
    ]
    parameters = ["_of", "/", *(["*"] if names else []), *(f"{name}=_ABSENT" for name in names)]
    return _compiled("replace", parameters, [f"return _cls({', '.join(given)})"], {"_ABSENT": _ABSENT, "_cls": cls})


def _tuple(owner: str, names: list[str]) -> str:
    return "(" + "".join(f"{owner}.{name}, " for name in names) + ")"


def _compiled(name: str, parameters: list[str], body: list[str], known: dict[str, Any]) -> Callable[..., Any]:
    text = f"def {name}({', '.join(parameters)}):\n" + "".join(f"    {line}\n" for line in body)
    exec(text, known)
    method: Callable[..., Any] = known[name]
    return method


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = [f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_assignment(self: Any, name: str, value: Any) -> None:  # noqa: ARG001 - the interpreter's signature
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: Any, name: str) -> None:  # noqa: ARG001 - as above
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
