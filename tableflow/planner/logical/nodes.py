"""The logical algebra: what a query means, over columns with ids that are unique in the plan.

A node's ``fields`` are its output.  A column that passes through a node keeps its id, so expressions survive
reordering.  Subqueries are joins: the binder emits them *dependent* (``Join.dependent``: the right side refers to
columns of the left), and unnesting makes every one of them an ordinary join.  There are no expressions that hold plans.
What is true of every node (its inputs, its output) is in ``structure.py``.
"""

from __future__ import annotations

import enum
from dataclasses import field

from tableflow.catalog.fetching import FetchProvider
from tableflow.catalog.provider import TableProvider
from tableflow.errors import Span
from tableflow.expressions.emit import Emit
from tableflow.expressions.nodes import AggregateCall, Expression, SortKey, WindowCall
from tableflow.planner.logical.late_into import LateInto
from tableflow.records import dataclass
from tableflow.types import Field


class JoinKind(enum.Enum):
    """Which rows a join keeps.

    INNER, LEFT, RIGHT, FULL give both sides' columns; SEMI and ANTI the left side's.  MARK gives the left side's and a
    BOOLEAN: TRUE if a right row satisfies the condition, else NULL if for some right row it is NULL, else FALSE
    (three-valued IN).  SINGLE is LEFT that fails if a left row finds a second match (a scalar subquery).
    ANTI keeps left rows for which the condition is not TRUE for any right row; with ``null_aware`` it keeps left rows for
    which it is FALSE for every right row (NOT IN).
    """

    __hash__ = object.__hash__  # members are single objects, and rules look for them in sets all the time

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"
    MARK = "mark"
    SINGLE = "single"


class SetKind(enum.Enum):
    """Set operations; the ALL forms keep multiplicities."""

    UNION_ALL = "union all"
    UNION = "union"
    INTERSECT = "intersect"
    INTERSECT_ALL = "intersect all"
    EXCEPT = "except"
    EXCEPT_ALL = "except all"


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint of a SELECT block, attached by the binder to the block's topmost join tree node or scan.

    ``name`` is upper case; ``arguments`` are relation aliases (or numbers as text), in order.
    """

    name: str
    arguments: tuple[str, ...]
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all logical nodes."""


@dataclass(frozen=True, slots=True)
class Scan(Node):
    """Rows of a table.  ``columns`` are the table's column names, one per field.

    ``alias`` is the name hints use.  ``predicates`` and ``limit`` are what pushdown moved here (conjuncts over the fields);
    physical planning offers them to the provider and keeps above the scan what it does not do exactly.
    ``block`` is the number of the SELECT block it was written in (hints see only their own block's aliases).
    ``span`` is where the table is named, for errors; ``origin`` its schema and name in the catalog, in small letters, if it has any.
    """

    table: str
    provider: TableProvider = field(compare=False)
    fields: tuple[Field, ...]
    columns: tuple[str, ...]
    alias: str = ""
    predicates: tuple[Expression, ...] = ()
    limit: int | None = None
    block: int = 0
    span: Span | None = field(default=None, compare=False)
    origin: tuple[str, str] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Values(Node):
    """Constant rows; expressions without columns.  No fields and one row is the input of a SELECT without FROM."""

    fields: tuple[Field, ...]
    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """Rows for which every conjunct is TRUE."""

    input: Node
    conjuncts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Project(Node):
    """One expression per field; a bare column passed through keeps its id (same field)."""

    input: Node
    fields: tuple[Field, ...]
    expressions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Join(Node):
    """See :class:`JoinKind`.  ``mark`` is the field that a MARK join adds."""

    kind: JoinKind
    left: Node
    right: Node
    conjuncts: tuple[Expression, ...] = ()
    mark: Field | None = None
    null_aware: bool = False
    dependent: bool = False
    hints: tuple[Hint, ...] = ()
    block: int = 0
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Aggregate(Node):
    """Groups by the input's columns ``keys`` (ids kept); one AggregateCall per field of ``results``.

    Without keys there is exactly one output row.  No results and keys is DISTINCT.  Aggregates' arguments are
    arbitrary expressions over the input.  ``emit`` says when a stream's results come out; with it ``fire`` may be a column
    (the last of the output) that numbers the firings of a group, from 1.  ``late`` is what LATE INTO says.
    """

    input: Node
    keys: tuple[Field, ...]
    results: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]
    emit: Emit | None = None
    fire: Field | None = None
    late: LateInto | None = None


@dataclass(frozen=True, slots=True)
class Window(Node):
    """The input's rows, each with one more column per call: what the call gives over the rows of its partition.

    Rows with equal values of the input's columns ``partition`` are in one partition and follow each other by ``order``; one
    WindowCall per field of ``results``.  With ``limit`` only the first so many rows of each partition come out (all
    were seen by the calls).
    """

    input: Node
    partition: tuple[Field, ...]
    order: tuple[SortKey, ...]
    results: tuple[Field, ...]
    calls: tuple[WindowCall, ...]
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Sort(Node):
    """Rows in this order; only what is directly above (Limit, the result) may rely on it."""

    input: Node
    keys: tuple[SortKey, ...]
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Limit(Node):
    """At most ``limit`` rows (None: all) after skipping ``offset``, in the input's order if it is a Sort."""

    input: Node
    limit: int | None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    """Rows of several inputs; ``fields`` are new ids.

    ``columns`` are, for each input, the columns of it that stand for ``fields``, one each and no column twice (types
    already equal).  They are found by id, so that an input's columns may come in any order, with others among them.
    """

    kind: SetKind
    inputs: tuple[Node, ...]
    fields: tuple[Field, ...]
    columns: tuple[tuple[Field, ...], ...]


@dataclass(frozen=True, slots=True)
class Replicate(Node):
    """Each row as often as its BIGINT column ``count`` (an id) says; not at all when it is NULL or below one.

    ``count`` stays in the output, where nothing may read it any more.  INTERSECT ALL and EXCEPT ALL are made of it.
    """

    input: Node
    count: int


@dataclass(frozen=True, slots=True)
class Fetch(Node):
    """The input's rows in their order, without ``row`` (where each stands in a table) and with further columns of the table.

    ``columns`` are the table's names of ``fields``.
    """

    input: Node
    row: Field
    table: str
    provider: FetchProvider = field(compare=False)
    fields: tuple[Field, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shared(Node):
    """One reader of a subplan that is computed once: equal ``key``, equal ``input`` and ``columns``.

    ``fields`` are this reader's ids for the input's ``columns``, one each.
    """

    key: int
    input: Node
    fields: tuple[Field, ...]
    columns: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Hinted(Node):
    """Carries a SELECT block's hints where the block has no join; normalisation moves or reports them."""

    input: Node
    hints: tuple[Hint, ...]
    block: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """A bound query: the plan, and the result's columns (ids into the plan's output) under their final names."""

    root: Node
    columns: tuple[Field, ...]
