"""What all statements have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tableflow.errors import Span
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning: nothing is wrong enough to stop, but the user should know."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class OptionPlaces:
    """Where the options of a table stand: the word before them, their names, their values."""

    clause: Span
    names: Mapping[str, Span] = field(default_factory=dict)
    values: Mapping[str, Span] = field(default_factory=dict)

    def of(self, name: str, *, value: bool = False) -> Span:
        """The place of an option's name or value; of the word before all options if it is not there."""
        return (self.values if value else self.names).get(name.lower(), self.clause)

    def shifted(self, by: int) -> OptionPlaces:
        """The same places in a text that begins ``by`` characters earlier."""
        return OptionPlaces(
            self.clause.shifted(by),
            {name: place.shifted(by) for name, place in self.names.items()},
            {name: place.shifted(by) for name, place in self.values.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What all statements have: their place in the script, warnings, and the places of the names they speak of, in order."""

    span: Span | None = None
    warnings: tuple[Notice, ...] = ()
    names_at: tuple[Span, ...] = field(default=(), compare=False)

    @property
    def place(self) -> Span | None:
        """Where an error about the object that the statement names points."""
        return self.names_at[0] if self.names_at else self.span
