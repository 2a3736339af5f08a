"""Takes hints off the plan into the context, where statistics and join ordering look them up by block."""

from __future__ import annotations

from tableflow.config import duration
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Hint, Hinted, Join, Node, Scan
from tableflow.planner.logical.traversal import transform_plan, walk_plan

_OVER_RELATIONS = frozenset({"BROADCAST", "SHUFFLE_HASH", "SHUFFLE_MERGE", "NEST_LOOP", "LEADING"})
_RELATION_AND_NUMBER = frozenset({"ROWS", "SELECTIVITY"})


def collect_hints(root: Node, required: frozenset[int], context: Context) -> Node:
    """Removes :class:`Hinted`; joins keep their hints for physical planning.  Names that match nothing are warnings."""
    aliases: dict[int, set[str]] = {}
    found = False
    for node in walk_plan(root):
        match node:
            case Scan(block=block, alias=alias):
                aliases.setdefault(block, set()).add(alias.lower())
            case Join(hints=hints, block=block) | Hinted(hints=hints, block=block) if hints:
                context.hints += [(block, hint) for hint in hints if (block, hint) not in context.hints]
                found = found or isinstance(node, Hinted)
            case Hinted():
                found = True
            case _:
                pass
    for block, hint in context.hints:
        _warn_of_unknown_names(hint, aliases.get(block, set()), context)
    if not found:
        return root
    return transform_plan(root, lambda node: node.input if isinstance(node, Hinted) else node)


def _warn_of_unknown_names(hint: Hint, known: set[str], context: Context) -> None:
    names: tuple[str, ...] = ()
    if hint.name in _OVER_RELATIONS:
        names = hint.arguments
    elif hint.name in _RELATION_AND_NUMBER:
        names = hint.arguments[:1]
    elif hint.name == "STATE_TTL":
        names = tuple([argument.partition("=")[0] for argument in hint.arguments])
    for name in names:
        if name.lower() not in known:
            context.warn(f"hint {hint.name} names {name!r}, which is no table of its SELECT block")


def state_ttl_of(context: Context, scan: Scan) -> int | None:
    """How long the relation's state is kept, by hint, in microseconds."""
    for hint in hints_of(context, "STATE_TTL", scan.block):
        for argument in hint.arguments:
            alias, _, time = argument.partition("=")
            if alias.lower() == scan.alias.lower():
                return duration(time)
    return None


def hints_of(context: Context, name: str, block: int) -> list[Hint]:
    """The hints of this name in a SELECT block."""
    return [hint for where, hint in context.hints if where == block and hint.name == name]
