"""sqlglot's trees into logical plans: names to column ids, calls to registry functions, subqueries to joins.

Takes a statement's text, a frozen catalog and the function registry; gives statements as data, whose plans have
unique column ids.  Sees no physical plan, no connector and no data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tableflow.catalog.provider import Catalog
    from tableflow.config import Settings
    from tableflow.expressions.registry import StatementClock
    from tableflow.sql.binder.context import Parameters
    from tableflow.sql.statements import Statement


def bind(
    text: str,
    start: int,
    catalog: Catalog,
    settings: Settings,
    parameters: Parameters = (),
    clock: StatementClock | None = None,
) -> Statement:
    """The statement that the text is; ``start`` is its offset in the script, into which all spans point.

    ``clock`` is its time, now without one.

    Raises :class:`~tableflow.errors.TableFlowError` for whatever is wrong with it.
    """
    # sqlglot takes 0.16 s to import, which a shell that only starts should not wait for
    from tableflow.config import ROWTIME_NULLS, TIME_ZONE
    from tableflow.expressions.registry import StatementClock
    from tableflow.planner.logical.time_nodes import NullTime
    from tableflow.sql.binder.context import StatementContext
    from tableflow.sql.binder.statement import bind_statement

    now = clock or StatementClock.now(settings.get(TIME_ZONE))

    def context() -> StatementContext:
        begun = StatementContext(catalog, parameters, now)
        begun.null_time = NullTime(settings.get(ROWTIME_NULLS))
        return begun

    return bind_statement(text, start, context)
