"""What EXPLAIN says of operators over changelogs."""

from __future__ import annotations

from collections.abc import Mapping

from tableflow.expressions.text import duration_text, to_sql
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.closed_windows import ClosedWindows
from tableflow.physical.current_join import CurrentJoin
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.lookup_join import LookupJoin
from tableflow.physical.node import PhysicalNode
from tableflow.physical.normalize import Normalize
from tableflow.physical.properties import OrderingKey
from tableflow.physical.timed_join import TimedJoin
from tableflow.physical.versioned_join import VersionedJoin


def describe_changelog(node: PhysicalNode, names: Mapping[int, str]) -> str | None:
    """The operator and what it does, without its inputs; None if it is none of these.  ``names`` are those of columns by id."""
    match node:
        case ChangelogAggregate():
            keys, calls = ", ".join(f.name for f in node.keys), ", ".join(map(to_sql, node.calls))
            return (
                f"ChangelogAggregate by [{keys}] {calls}".rstrip()
                + (" per epoch" if node.per_epoch else "")
                + "".join(
                    f" every {duration_text(interval)}{of}"
                    for interval, of in ((node.every, ""), (node.every_of_time, " of event time"))
                    if interval
                )
                + (f" every {node.every_rows} rows" if node.every_rows else "")
                + ("" if node.closes is None else _until(node, names))
                + _kept(node.ttl)
            )
        case ChangelogJoin():
            on = [
                f"{to_sql(left)} {'is not distinct from' if safe else '='} {to_sql(right)}"
                for left, right, safe in zip(node.left_keys, node.right_keys, node.null_safe, strict=True)
            ]
            kept = [
                f"{side} until {names.get(each.column, f'#{each.column}')}{_later(each.behind)}"
                for side, each in (("left", node.left_retention), ("right", node.right_retention))
                if each is not None
            ]
            kept += [f"{side}{_kept(ttl)}" for side, ttl in (("left", node.left_ttl), ("right", node.right_ttl)) if ttl]
            kept += [f"{side} for ever" for side in node.kept_for_ever]
            condition = " and ".join([*on, *map(to_sql, node.residual)]) or "true"
            return (
                f"{type(node).__name__} {node.kind.value} on {condition}{' keeping ' if kept else ''}{', '.join(kept)}"
                + _lone_rows(node)
            )
        case VersionedJoin():
            pairs = zip(node.left_keys, node.right_keys, strict=True)
            equal = " and ".join(f"{to_sql(left)} = {to_sql(right)}" for left, right in pairs) or "true"
            version, time = (names.get(column, f"#{column}") for column in (node.versions, node.time))
            newest, sign = ("oldest", ">") if node.following else ("newest", "<")
            sign += "" if node.strict else "="
            forgotten = f", versions kept{_kept(node.ttl)}" if node.ttl else ""
            return f"VersionedJoin {node.kind.value} on {equal}, {newest} {version} {sign} {time}{forgotten}"
        case CurrentJoin():
            pairs = zip(node.left_keys, node.right_keys, strict=True)
            equal = " and ".join(f"{to_sql(left)} = {to_sql(right)}" for left, right in pairs)
            return f"CurrentJoin {node.kind.value} on {equal}, right as it is at the end of the epoch"
        case LookupJoin():
            pairs = zip(node.left_keys, node.right_keys, strict=True)
            equal = " and ".join(f"{to_sql(left)} = {to_sql(right)}" for left, right in pairs)
            rest = "".join(f" and {to_sql(each)}" for each in node.residual)
            return (
                f"LookupJoin {node.kind.value} {node.table} on {equal}{rest}{'' if node.cache is None else ' cached'}"
            )
        case ChangelogTopN():
            limit = "all" if node.limit is None else str(node.limit)
            offset, rank = f" offset {node.offset}" if node.offset else "", " with rank" if node.rank else ""
            by, order = _columns(node.partition, names), _order(node.order, names)
            return f"ChangelogTopN {limit}{offset} by [{by}]{f' order {order}' if order else ''}{rank}{_kept(node.ttl)}"
        case ChangelogOver() | EventTimeOver():
            by, order = _columns(node.partition, names), _order(node.order, names)
            calls = ", ".join(map(to_sql, node.calls))
            return f"{type(node).__name__} by [{by}]{f' order {order}' if order else ''} {calls}".rstrip() + _kept(
                node.ttl
            )
        case ClosedWindows():
            by, order = _columns(node.partition, names), _order(node.order, names)
            calls, first = ", ".join(map(to_sql, node.calls)), "" if node.limit is None else f" first {node.limit}"
            until = names.get(node.closes.column, f"#{node.closes.column}")
            return f"ClosedWindows by [{by}]{f' order {order}' if order else ''}{first} {calls} until {until}"
        case Normalize():
            return f"Normalize by [{_columns(node.key, names)}]{_kept(node.ttl)}"
        case _:
            return None


def _until(node: ChangelogAggregate, names: Mapping[int, str]) -> str:
    assert node.closes is not None
    until = names.get(node.closes.column, f"#{node.closes.column}")
    return f" until {until}" if node.final else f" keeping until {until}{_later(node.closes.behind)}"


def _lone_rows(node: ChangelogJoin) -> str:
    """When rows come out that have no partner, and by how much time is behind."""
    if node.kind not in {HashJoinKind.LEFT, HashJoinKind.RIGHT, HashJoinKind.FULL, HashJoinKind.ANTI}:
        told = []
    elif isinstance(node, TimedJoin):
        told = ["rows without partner when none can come"]
    else:
        told = ["rows without partner until one comes"]
    if isinstance(node, TimedJoin) and node.delay:
        told.append(f"time {duration_text(node.delay)} behind")
    return "".join(f", {each}" for each in told)


def _kept(ttl: int) -> str:
    return f" for {duration_text(ttl)}" if ttl else ""


def _later(micros: int) -> str:
    if not micros:
        return ""
    return f" {'+' if micros > 0 else '-'} {duration_text(abs(micros))}"


def _columns(ids: tuple[int, ...], names: Mapping[int, str]) -> str:
    return ", ".join(names.get(column, f"#{column}") for column in ids)


def _order(keys: tuple[OrderingKey, ...], names: Mapping[int, str]) -> str:
    return ", ".join(
        names.get(key.column, f"#{key.column}")
        + (" desc" if key.descending else "")
        + (" nulls first" if key.nulls_first else "")
        for key in keys
    )
