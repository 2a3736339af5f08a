"""Options of a connector: declared once, used to read WITH (...), for its errors and for its documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tableflow.errors import CatalogError
from tableflow.nearest import nearest
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name (Flink's where Flink has it), how its text is read, and a line of documentation.

    ``parse`` raises ValueError saying what is expected.  ``kind`` is the type in the documentation.  A ``#`` in the name stands for
    any text (the name of a column): such an option may be given many times, and its values have the names as given.
    """

    name: str
    kind: str
    parse: Callable[[str], Any]
    doc: str
    default: Any = None
    required: bool = False
    aliases: tuple[str, ...] = ()


class OptionError(CatalogError):
    """An option that is unknown or missing, or (``value``) whose value cannot be read; ``option`` is its name as given."""

    def __init__(
        self, message: str, *, option: str, value: bool = False, detail: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.option = option
        self.value = value


class ColumnError(CatalogError):
    """A declared column that a connector or format cannot have; ``column`` is its name."""

    def __init__(self, message: str, *, column: str, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.column = column


def text(value: str) -> str:
    """Any text, as it is."""
    return value


def boolean(value: str) -> bool:
    """``true`` or ``false``."""
    folded = value.strip().lower()
    if folded not in {"true", "false"}:
        raise ValueError("true or false is expected")
    return folded == "true"


def character(value: str) -> str:
    r"""One ASCII character; ``\t`` may be written for a tab."""
    spelled = {"\\t": "\t", "tab": "\t"}.get(value, value)
    if len(spelled) != 1 or not spelled.isascii() or spelled in "\r\n":
        raise ValueError("one ASCII character is expected")
    return spelled


def choice(*allowed: str) -> Callable[[str], str]:
    """One of some words, in any case."""

    def parse(value: str) -> str:
        if value.strip().lower() not in allowed:
            raise ValueError(f"one of {', '.join(allowed)} is expected")
        return value.strip().lower()

    return parse


def read_options(connector: str, declared: Sequence[Option], given: Mapping[str, str]) -> dict[str, Any]:
    """The value of every declared option; unknown, missing and unreadable ones are :class:`OptionError`."""
    by_name = {name: option for option in declared for name in (option.name, *option.aliases)}
    values = {option.name: option.default for option in declared if "#" not in option.name}
    for name, value in given.items():
        option = by_name.get(name.lower()) or _matching(name, declared)
        if option is None:
            raise _unknown(connector, name, by_name)
        try:
            values[name.lower() if "#" in option.name else option.name] = option.parse(value)
        except ValueError as error:
            raise OptionError(
                f"option {name if '#' in option.name else option.name!r} of connector {connector!r} cannot be {value!r}",
                option=name,
                value=True,
                detail=str(error),
                hint=option.doc,
            ) from None
    for option in declared:
        if option.required and values[option.name] is None:
            raise OptionError(
                f"connector {connector!r} needs option {option.name!r}",
                option=option.name,
                hint=f"'{option.name}' = ...: {option.doc}",
            )
    return values


def _matching(name: str, declared: Sequence[Option]) -> Option | None:
    """The option with a ``#`` that the name fits."""
    for option in declared:
        before, found, after = option.name.partition("#")
        fits = name.lower().startswith(before) and name.lower().endswith(after)
        if found and fits and len(name) > len(before) + len(after):
            return option
    return None


_ELSEWHERE = {
    "scan.watermark.idle-timeout": "SET 'table.exec.source.idle-timeout' = '5 s' holds for the jobs that begin after it",
    "scan.parallelism": "SET 'parallelism.default' holds for the jobs that begin after it",
    "sink.parallelism": "SET 'parallelism.default' holds for the jobs that begin after it",
}
"""Options of Flink's tables that are settings here."""


def _unknown(connector: str, name: str, known: Mapping[str, Option]) -> OptionError:
    near = nearest(name, known)
    there = f"its options are {', '.join(sorted(known))}" if known else "it has none but 'connector'"
    hint = _ELSEWHERE.get(name.lower()) or (f"did you mean {near!r}?" if near else there)
    return OptionError(f"connector {connector!r} has no option {name!r}", option=name, hint=hint)


def describe_options(declared: Sequence[Option]) -> str:
    """A Markdown table of the options, for the documentation."""
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for option in declared:
        if option.required:
            default = "(required)"
        else:
            default = "" if option.default is None else f"`{str(option.default).lower()}`"
        names = ", ".join(f"`{name}`" for name in (option.name, *option.aliases))
        lines.append(f"| {names} | {option.kind} | {default} | {option.doc} |")
    return "\n".join(lines)
