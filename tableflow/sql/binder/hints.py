"""Hints of a SELECT block: ``/*+ BROADCAST(r), LEADING(a, b), ROWS(t, 1e6) */``.

A hint never changes a result, so nothing about it is an error: what is not understood is a warning that says so.
"""

from __future__ import annotations

from sqlglot import exp

from tableflow.config import duration
from tableflow.errors import Span
from tableflow.planner.logical.nodes import Hint, Hinted, Join, Node
from tableflow.records import replace
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.scope import Scope, did_you_mean
from tableflow.sql.hints import HINTS
from tableflow.sql.lexer import Kind, Lexeme, lex

_NUMBERS = {"ROWS": 1, "SELECTIVITY": 1, "PARALLEL": 0}
_LEAST = {"BROADCAST": 1, "SHUFFLE_HASH": 1, "SHUFFLE_MERGE": 1, "NEST_LOOP": 1, "LEADING": 2, "ROWS": 2, "UNIQUE": 1,
          "SELECTIVITY": 2, "PARALLEL": 1, "STATE_TTL": 1}  # fmt: skip


class Hints:
    """The hints of one block, not yet checked against its FROM."""

    def __init__(self, hints: list[Hint]) -> None:
        self._hints = hints

    @staticmethod
    def read(block: Block, node: exp.Expr | None) -> Hints | None:
        """The hints that stand behind SELECT; None if there are none."""
        if node is None:
            return None
        start = (node.meta_get("start") or 0) + len("/*+")
        return Hints(_Reader(block, str(node.expressions[0]), start).read())

    def attached(self, block: Block) -> Node:
        """The block's plan with the hints on its topmost join."""
        usable = tuple(hint for hint in self._hints if _matches(block, block.scope, hint))
        if not usable:
            return block.plan
        if isinstance(block.plan, Join):
            return replace(block.plan, hints=usable)
        return Hinted(block.plan, usable, block.number)


class _Reader:
    """Reads ``NAME(argument, ...)`` one after another, with or without commas between."""

    def __init__(self, block: Block, text: str, offset: int) -> None:
        self._block = block
        self._offset = offset
        skipped = {Kind.SPACE, Kind.COMMENT}
        self._lexemes = [lexeme for lexeme in lex(text) if lexeme.kind not in skipped]
        self._index = 0

    def read(self) -> list[Hint]:
        hints: list[Hint] = []
        while self._index < len(self._lexemes):
            first = self._next()
            if first.kind is Kind.OPERATOR and first.text == ",":
                continue
            if first.kind is not Kind.WORD:
                self._warn(f"a hint cannot begin with {first.text!r}; the rest is ignored", first)
                break
            arguments = self._arguments()
            if arguments is None:
                self._warn(f"the parenthesis of hint {first.text} is not closed; it is ignored", first)
                break
            hint = self._checked(first, arguments)
            if hint is not None:
                hints.append(hint)
        return hints

    def _next(self) -> Lexeme:
        self._index += 1
        return self._lexemes[self._index - 1]

    def _arguments(self) -> tuple[str, ...] | None:
        if self._index >= len(self._lexemes) or self._lexemes[self._index].text != "(":
            return ()
        self._index += 1
        arguments: list[str] = []
        current = ""
        while self._index < len(self._lexemes):
            lexeme = self._next()
            if lexeme.kind is Kind.OPERATOR and lexeme.text in {",", ")"}:
                if current:
                    arguments.append(current)
                current = ""
                if lexeme.text == ")":
                    return tuple(arguments)
            else:
                current += lexeme.value
        return None

    def _checked(self, lexeme: Lexeme, arguments: tuple[str, ...]) -> Hint | None:
        name = lexeme.text.upper()
        if name not in HINTS:
            near = did_you_mean(name, HINTS)
            self._warn(f"hint {lexeme.text!r} is not known" + (f": {near}" if near else ""), lexeme)
            return None
        if len(arguments) < _LEAST.get(name, 0):
            self._warn(f"hint {name} needs {_LEAST[name]} argument(s); it is ignored", lexeme)
            return None
        if name in _NUMBERS and not _is_number(arguments[_NUMBERS[name]]):
            self._warn(f"hint {name} needs a number, not {arguments[_NUMBERS[name]]!r}; it is ignored", lexeme)
            return None
        if name == "STATE_TTL" and not all(map(_is_time_to_live, arguments)):
            self._warn(f"hint {name} needs arguments such as 'o' = '1d'; it is ignored", lexeme)
            return None
        return Hint(name, arguments, self._place(lexeme))

    def _place(self, lexeme: Lexeme) -> Span:
        return self._block.source.place(lexeme.start + self._offset, lexeme.end + self._offset)

    def _warn(self, message: str, lexeme: Lexeme) -> None:
        self._block.context.warn(message, self._place(lexeme))


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


def _is_time_to_live(text: str) -> bool:
    alias, _, time = text.partition("=")
    try:
        return bool(alias) and duration(time) >= 0
    except ValueError:
        return False


def _relations_of(hint: Hint) -> tuple[str, ...]:
    """The arguments that name relations of the block."""
    match hint.name:
        case "ROWS" | "SELECTIVITY":
            return hint.arguments[:1]
        case "UNIQUE":
            return tuple(argument.rpartition(".")[0] for argument in hint.arguments if "." in argument)
        case "STATE_TTL":
            return tuple(argument.partition("=")[0] for argument in hint.arguments)
        case "PARALLEL" | "NO_REORDER":
            return ()
        case _:
            return hint.arguments


def _matches(block: Block, scope: Scope, hint: Hint) -> bool:
    known = [relation.alias for relation in scope.relations]
    lowered = {alias.lower() for alias in known}
    missing = [name for name in _relations_of(hint) if name.lower() not in lowered]
    for name in missing:
        near = did_you_mean(name, known)
        block.context.warn(
            f"hint {hint.name} names {name!r}, which is not in FROM; it is ignored" + (f": {near}" if near else ""),
            hint.span,
        )
    return not missing
